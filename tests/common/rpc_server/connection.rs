//! HTTP/1.1, as far as a client of ours speaks it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    sync::atomic::Ordering,
};

use super::{Fault, Shared};

impl Shared {
    /// Answers requests on a connection until either side ends it.
    pub(super) fn serve(&self, stream: TcpStream) {
        self.seen.lock().unwrap().connections += 1;
        if self.take_fault(|fault| matches!(fault, Fault::CloseAtAccept)).is_some() {
            return;
        }
        let _ = stream.set_nodelay(true);
        let Ok(mut writer) = stream.try_clone() else { return };
        let mut reader = BufReader::new(stream);
        while let Some(request) = read_request(&mut reader) {
            if self.ended.load(Ordering::Relaxed) {
                return;
            }
            self.begin();
            let going_on = self.reply(&request, &mut writer);
            self.seen.lock().unwrap().at_once -= 1;
            if !going_on {
                let _ = writer.shutdown(Shutdown::Both);
                return;
            }
        }
    }

    fn begin(&self) {
        let mut seen = self.seen.lock().unwrap();
        seen.requests += 1;
        seen.at_once += 1;
        seen.most_at_once = seen.most_at_once.max(seen.at_once);
    }

    fn take_fault(&self, which: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let at = faults.iter().position(|(fault, times)| *times > 0 && which(fault))?;
        faults[at].1 -= 1;
        Some(faults[at].0.clone())
    }

    /// Whether the connection goes on.
    fn reply(&self, request: &[u8], writer: &mut TcpStream) -> bool {
        let delay = *self.delay.lock().unwrap();
        std::thread::sleep(delay);
        let fault = self.take_fault(|fault| !matches!(fault, Fault::CloseAtAccept));
        if let Some(Fault::Slow(time)) = fault {
            std::thread::sleep(time);
        }
        match fault {
            Some(Fault::Status(status, after, text)) => {
                let after = after.map(|after| format!("Retry-After: {after}\r\n"));
                return write(writer, status, &after.unwrap_or_default(), text.as_bytes());
            }
            Some(Fault::Text(text)) => return write(writer, 200, "", text.as_bytes()),
            Some(Fault::CloseBeforeReply) => return false,
            _ => {}
        }
        let (status, mut text) = self.answer(request, fault.as_ref());
        match fault {
            Some(Fault::Oversized(size)) => text.insert_str(0, &" ".repeat(size)),
            Some(Fault::CloseMidReply) => {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", text.len());
                let _ = writer.write_all(head.as_bytes());
                let _ = writer.write_all(&text.as_bytes()[..text.len() / 2]);
                return false;
            }
            _ => {}
        }
        write(writer, status, "", text.as_bytes())
    }
}

fn write(writer: &mut TcpStream, status: u16, headers: &str, body: &[u8]) -> bool {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} Whatever\r\nContent-Type: application/json\r\n{headers}Content-Length: {length}\r\n\r\n"
    );
    let mut reply = head.into_bytes();
    reply.extend_from_slice(body);
    writer.write_all(&reply).is_ok()
}

/// The body of the next request.
fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}
