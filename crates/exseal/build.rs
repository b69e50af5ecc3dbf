//! Lists the pages and the sample that the program carries with it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn main() -> std::io::Result<()> {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../..");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    let (pages, sample) = (root.join("docs/findings"), root.join("examples/kiefer"));
    println!("cargo::rerun-if-changed={}", pages.display());
    println!("cargo::rerun-if-changed={}", sample.display());

    let mut list = String::from(
        "/// Name and text of every finding's page, by name.\npub(crate) const FINDINGS: &[(&str, &str)] = &[\n",
    );
    for file in files(&pages)? {
        let name = file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let path = fs::canonicalize(&file)?;
        println!("cargo::rerun-if-changed={}", file.display());
        let _ = writeln!(
            list,
            "    ({name:?}, include_str!({:?})),",
            path.display().to_string()
        );
    }
    list.push_str("];\n/// Name and content of every file of the sample organisation.\npub(crate) const SAMPLE: &[(&str, &[u8])] = &[\n");
    for file in files(&sample)? {
        let name = file
            .strip_prefix(&sample)
            .unwrap_or(&file)
            .to_string_lossy()
            .replace('\\', "/");
        let path = fs::canonicalize(&file)?;
        println!("cargo::rerun-if-changed={}", file.display());
        let _ = writeln!(
            list,
            "    ({name:?}, include_bytes!({:?})),",
            path.display().to_string()
        );
    }
    list.push_str("];\n");
    fs::write(out.join("pages.rs"), list)
}

/// The files below a folder, by path; none when it is not there.
fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(found);
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
