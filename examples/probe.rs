//! temporary probe
use chorus::evm::*;
use std::sync::Arc;
use std::time::Instant;
#[global_allocator]
static A: mimalloc::MiMalloc = mimalloc::MiMalloc;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let threads: usize = args[1].parse().unwrap();
    let repeat: usize = args[2].parse().unwrap();
    let filter = args.get(3);
    let engine = Engine::builder().threads(threads).path(if std::env::var("AUTO").is_ok() { Path::Auto } else { Path::Parallel }).build().unwrap();
    let dirs = input::discover(std::path::Path::new("../shared/blocks")).unwrap();
    let chain = ChainSpec::mainnet();
    let (mut logsum, mut count, mut worst) = (0.0f64, 0, 9.0f64);
    for dir in dirs {
        if let Some(f) = filter { if !dir.to_string_lossy().ends_with(f.as_str()) { continue } }
        let (block, store) = input::load_block(&dir, &chain).unwrap();
        let block = Arc::new(block);
        let store: Arc<dyn StateStore> = Arc::new(store);
        let mut ratios = vec![];
        let (mut ts, mut tp) = (vec![], vec![]);
        let mut stat = None;
        let mut bad = String::new();
        for i in 0..=repeat {
            let t = Instant::now();
            let seq = Sequential::new().execute(&block, &*store, InvalidPolicy::Fail);
            let s = t.elapsed();
            let t = Instant::now();
            let par = engine.execute(&block, &store);
            let p = t.elapsed();
            if i > 0 { ratios.push(s.as_secs_f64() / p.as_secs_f64()); ts.push(s.as_micros()); tp.push(p.as_micros()); }
            match (&seq, &par) {
                (Ok(a), Ok(b)) => {
                    if a.transactions != b.transactions { let at = a.transactions.iter().zip(&b.transactions).position(|(x, y)| x != y); bad = format!("tx differ at {at:?}"); }
                    else if a.diff != b.diff { let at = a.diff.accounts.iter().zip(&b.diff.accounts).find(|(x, y)| x != y); bad = format!("diff {} {} {:.600}", a.diff.accounts.len(), b.diff.accounts.len(), format!("{at:?}")); }
                    else if a.requests != b.requests { bad = "requests".into(); }
                    stat = Some(b.statistics.clone());
                }
                (a, b) => { if a.as_ref().err() != b.as_ref().err() { bad = format!("{:?} vs {:?}", a.as_ref().err(), b.as_ref().err()); } }
            }
        }
        ratios.sort_by(f64::total_cmp); ts.sort(); tp.sort();
        let r = ratios[ratios.len() / 2];
        let st = stat.unwrap_or_default();
        let n = block.transactions.len();
        let big = n >= 40 && ts[ts.len() / 2] >= 500;
        if big { logsum += r.ln(); count += 1; worst = worst.min(r); }
        let limit = chorus::evm::limit::Profile::record(&block, &*store).map(|l| l.limit(2)).unwrap_or(0.0);
        println!("lim {limit:.2} {:>9} txs {:>4} seq {:>6} par {:>6} ratio {:.3}{} inc {} sus {} waste {:.3} ph {:?} {}", block.env.number, n, ts[ts.len() / 2], tp[tp.len() / 2], r, if big { "*" } else { " " }, st.incarnations, st.suspensions, st.wasted_gas as f64 / 1e6, st.phases.map(|p| p.as_micros()), bad);
    }
    if count > 0 { println!("geomean {:.3} over {count}, worst {worst:.3}", (logsum / count as f64).exp()); }
}
