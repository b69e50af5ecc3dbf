//! Times what `exseal diagnose` and `exseal plan` do with an inventory file, part by part: one JSON line a file.

use std::time::Instant;

use exseal_engine::plan::plan;
use exseal_engine::{Policy, diagnose, merge};
use exseal_model::{Goal, Inventory};

#[expect(clippy::print_stdout, reason = "a program of its own")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let now = "2026-11-24T09:00:00Z".parse()?;
    for path in std::env::args_os().skip(1) {
        let text = std::fs::read(&path)?;
        let begin = Instant::now();
        let inventory: Inventory = serde_json::from_slice(&text)?;
        let read = begin.elapsed();
        let merged = merge([inventory]);
        let joined = begin.elapsed();
        let diagnosis = diagnose(&merged, &Policy::default(), now);
        let judged = begin.elapsed();
        let goals = [
            Goal::ServicesStart { servers: Vec::new() },
            Goal::BackEndRenew { servers: Vec::new() },
            Goal::InternalTransportRenew { servers: Vec::new() },
            Goal::Cleanup {
                servers: Vec::new(),
                backup: None,
            },
        ];
        let plan = plan(&merged, &Policy::default(), &goals, &[], now);
        let planned = begin.elapsed();
        let json = serde_json::to_vec(&diagnosis)?;
        let written = begin.elapsed();
        println!(
            "{{\"servers\": {}, \"findings\": {}, \"read_ms\": {:.1}, \"merge_ms\": {:.1}, \"diagnose_ms\": {:.1}, \"steps\": {}, \"plan_ms\": {:.1}, \"write_ms\": {:.1}, \"bytes\": {}}}",
            merged.servers.len(),
            diagnosis.findings.len(),
            read.as_secs_f64() * 1e3,
            (joined - read).as_secs_f64() * 1e3,
            (judged - joined).as_secs_f64() * 1e3,
            plan.steps.len(),
            (planned - judged).as_secs_f64() * 1e3,
            (written - planned).as_secs_f64() * 1e3,
            json.len(),
        );
    }
    Ok(())
}
