//! `cargo xtask bench judge`: inventories of 250, 500 and 1,000 damaged servers judged part by part, the whole program beside
//! it, one HealthChecker file, and the start of the program. The peer for the HealthChecker file is HealthChecker's own
//! `-AnalyzeDataOnly`, which needs PowerShell and was measured elsewhere: 12 s and 300 MB.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use crate::{Failure, Result, workspace};

/// Arguments of `cargo xtask bench judge`.
#[derive(Debug, Args)]
pub(crate) struct JudgeArgs {}

const SIZES: [usize; 3] = [250, 500, 1000];

pub(super) fn run(_: &JudgeArgs) -> Result {
    workspace::run(workspace::cargo().args(["build", "--quiet", "--release", "--package", "exseal"]))?;
    workspace::run(workspace::cargo().args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "exseal-engine",
        "--example",
        "judge",
    ]))?;
    let release = workspace::root().join("target/release");
    let program = release.join("exseal");
    let folder = std::env::temp_dir().join(format!("exseal-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;

    let sample = workspace::capture(workspace::command(&program).args([
        "discover",
        "--from",
        "examples/kiefer",
        "--json",
    ]))?;
    let sample: Value = serde_json::from_slice(&sample.stdout)?;
    let mut files = Vec::new();
    for size in SIZES {
        let file = folder.join(format!("{size}.json"));
        fs::write(&file, large(&sample, size)?.to_string())?;
        files.push(file);
    }
    let parts = workspace::capture(workspace::command(release.join("examples/judge")).args(&files))?;
    println!("parts, milliseconds:");
    let parts = String::from_utf8_lossy(&parts.stdout);
    print!("{parts}");
    println!("{}", growth(&parts)?);
    println!("whole program, best of five:");
    for file in &files {
        let diagnose = ["diagnose", "--now", "2026-11-24T09:00:00Z", "--json", "--from"];
        println!(
            "  {}: {} ms",
            name(file),
            best(&program, &diagnose, Some(file))?.as_millis()
        );
    }
    println!("  --help: {} ms", best(&program, &["--help"], None)?.as_millis());
    match workspace::required_fixtures(None) {
        Ok(fixtures) => {
            let file = fixtures.join("healthchecker/HealthChecker-E19-Main.xml");
            let size = fs::metadata(&file)?.len() / 1_000_000;
            println!(
                "  HealthChecker file of {size} MB: {} ms",
                best(&program, &["diagnose", "--from"], Some(&file))?.as_millis()
            );
        }
        Err(_) => println!("  HealthChecker file: not measured, no recorded exports at hand"),
    }
    fs::remove_dir_all(&folder)?;
    Ok(())
}

/// What diagnosing and planning take together, and how that grows from the smallest inventory to the largest.
fn growth(parts: &str) -> Result<String> {
    let mut sums = Vec::new();
    for line in parts.lines() {
        let line: Value = serde_json::from_str(line)?;
        let number = |key: &str| {
            line[key]
                .as_f64()
                .ok_or_else(|| Failure::new(format!("expected a number {key} in {line}, found none")))
        };
        sums.push((number("servers")?, number("diagnose_ms")? + number("plan_ms")?));
    }
    let (Some((few, quick)), Some((many, slow))) = (sums.first(), sums.last()) else {
        return Err(Failure::new("the example printed nothing"));
    };
    Ok(format!(
        "diagnose + plan: {slow:.0} ms for {many} servers (goal: 200 for 1000); {:.1} times the servers take {:.1} times as long",
        many / few,
        slow / quick
    ))
}

fn name(file: &Path) -> String {
    file.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn best(program: &Path, arguments: &[&str], file: Option<&Path>) -> Result<Duration> {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let mut command = workspace::command(program);
        command
            .args(arguments)
            .args(file)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let begin = Instant::now();
        command.status()?;
        best = best.min(begin.elapsed());
    }
    Ok(best)
}

/// The sample's servers so often that there are `size`.
fn large(sample: &Value, size: usize) -> Result<Value> {
    let servers = sample["servers"]
        .as_array()
        .ok_or_else(|| Failure::new("the sample has no servers"))?;
    let mut large = sample.clone();
    let many = (0..size).zip(servers.iter().cycle()).map(|(number, server)| {
        let mut server = server.clone();
        let full = format!("mbx{number:04}.kiefer.example");
        server["name"] = json!(full.split('.').next());
        let source = server["fqdn"]["source"].clone();
        server["fqdn"] = json!({ "value": full, "source": source });
        server
    });
    large["servers"] = Value::Array(many.collect());
    Ok(large)
}
