//! One request and its reply over HTTP.

use reqwest::{
    Client, Url,
    header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER},
    redirect::Policy,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::BuilderVerifierExt;

use super::{Fault, RpcError, RpcOptions, error::shown};
use crate::sync::{Arc, time::Duration};

/// So much of a reply is read for the message where the status says failure.
const BODY_OF_FAILURE: usize = 64 << 10;

/// An address and the connections to it, which are kept.
pub(super) struct Http {
    client: Client,
    url: Url,
    largest_reply: usize,
}

impl Http {
    /// Checks the address; connects to nothing yet.
    pub(super) fn new(url: &str, options: &RpcOptions) -> Result<Self, RpcError> {
        let refused = |reason: String| RpcError::Url { url: without_secrets(url), reason };
        let url = Url::parse(url).map_err(|error| refused(format!("not an address: {error}")))?;
        let encrypted = match url.scheme() {
            "http" => false,
            "https" => true,
            other => return Err(refused(format!("{other} is not spoken (http and https are)"))),
        };
        let setup = |reason: String| RpcError::Setup { reason };
        let client = Client::builder()
            .tls_backend_preconfigured(tls(encrypted).map_err(|error| setup(error.to_string()))?)
            .http1_only()
            .redirect(Policy::none())
            .tcp_nodelay(true)
            .pool_max_idle_per_host(options.in_flight)
            .user_agent(concat!("chorus/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| setup(causes(&error)))?;
        Ok(Self { client, url, largest_reply: options.largest_reply })
    }

    /// The node as messages name it: paths, queries and passwords hold keys.
    pub(super) fn name(&self) -> String {
        without_secrets(self.url.as_str())
    }

    /// Sends `body` and reads the reply. An error status comes with its fault and the beginning of its
    /// text.
    pub(super) async fn post(
        &self,
        body: String,
        timeout: Duration,
    ) -> Result<Vec<u8>, (Fault, Vec<u8>)> {
        let fault = |error: reqwest::Error| (self.fault(&error, timeout), Vec::new());
        let request = self.client.post(self.url.clone()).timeout(timeout);
        let mut reply = request
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .send()
            .await
            .map_err(fault)?;
        let status = reply.status();
        let limit = if status.is_success() { self.largest_reply } else { BODY_OF_FAILURE };
        let mut text = Vec::new();
        let mut cut = false;
        while let Some(part) = reply.chunk().await.map_err(fault)? {
            text.extend_from_slice(&part);
            if text.len() > limit {
                cut = true;
                break;
            }
        }
        if status.is_success() {
            return if cut { Err((Fault::TooLarge { limit }, Vec::new())) } else { Ok(text) };
        }
        let fault = Fault::Status {
            status: status.as_u16(),
            body: shown(String::from_utf8_lossy(&text).trim()),
            after: retry_after(reply.headers()),
        };
        Err((fault, text))
    }

    fn fault(&self, error: &reqwest::Error, timeout: Duration) -> Fault {
        if error.is_timeout() {
            Fault::Timeout(timeout)
        } else if error.is_connect() {
            Fault::Connect(causes(error))
        } else {
            Fault::Cut(causes(error))
        }
    }
}

/// The platform's roots where they are needed, none where nothing is encrypted: reading them takes
/// milliseconds. The provider is given, so that nothing is installed for the whole process.
fn tls(encrypted: bool) -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    let builder = match encrypted {
        true => builder.with_platform_verifier()?,
        false => builder.with_root_certificates(RootCertStore::empty()),
    };
    Ok(builder.with_no_client_auth())
}

/// Seconds only. A date would have to be compared with a clock that may be wrong; the doubling pause
/// does as well.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// What HTTP libraries say is in the sources of their errors. The address is left out.
fn causes(error: &dyn std::error::Error) -> String {
    let mut causes = Vec::new();
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        if causes.last() != Some(&text) {
            causes.push(text);
        }
        source = error.source();
    }
    match causes.is_empty() {
        true => error.to_string(),
        false => causes.join(": "),
    }
}

/// Scheme, host and port.
fn without_secrets(url: &str) -> String {
    match Url::parse(url) {
        Ok(url) if url.has_host() => {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
        }
        _ => shown(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_an_address_stay_out_of_messages() {
        let secret = "https://me:pass@node.example:8443/v2/KEY?key=KEY";
        assert_eq!(without_secrets(secret), "https://node.example:8443");
        let http = Http::new(secret, &RpcOptions::default()).unwrap();
        assert_eq!(http.name(), "https://node.example:8443");
    }

    #[test]
    fn other_schemes_and_no_addresses_are_refused() {
        for url in ["ws://node", "node", "", "http://", "file:///etc/passwd", "localhost:8545"] {
            let error = Http::new(url, &RpcOptions::default()).map(|_| ()).unwrap_err();
            assert!(matches!(error, RpcError::Url { .. }), "{url}: {error}");
        }
    }
}
