//! Folders, ZIPs and single files, one after the other, within limits.

use std::fs;
use std::io::{Cursor, Read as _};
use std::path::Path;

use super::{Given, Limits};

/// Something files lie in together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scope {
    /// Path of the folder or ZIP; empty: the files that were given one by one.
    pub(super) path: String,
    /// The folder's or ZIP's own name, which stands for a server's where nothing else names one.
    pub(super) name: Option<String>,
}

/// A file that was found.
pub(super) struct Found {
    pub(super) path: String,
    pub(super) content: Result<Vec<u8>, Problem>,
    pub(super) scopes: Vec<Scope>,
    pub(super) said: Option<String>,
}

/// Why a file's content is not to be had.
pub(super) struct Problem {
    pub(super) expected: String,
    pub(super) found: String,
}

struct Walker<'w> {
    limits: &'w Limits,
    bytes: u64,
    files: usize,
    found: &'w mut dyn FnMut(Found),
}

pub(super) fn walk(given: &[Given], limits: &Limits, found: &mut dyn FnMut(Found)) {
    let mut walker = Walker {
        limits,
        bytes: 0,
        files: 0,
        found,
    };
    for given in given {
        let together = Scope {
            path: String::new(),
            name: None,
        };
        walker.path(&given.path, &[together], given.server.as_deref(), 0);
    }
}

impl Walker<'_> {
    fn path(&mut self, path: &Path, scopes: &[Scope], said: Option<&str>, depth: usize) {
        let shown = path.display().to_string();
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) => {
                return self.problem(&shown, scopes, said, "a file, folder or ZIP", error.to_string());
            }
        };
        if metadata.is_dir() {
            return self.folder(path, scopes, said, depth);
        }
        if metadata.len() > self.limits.file_bytes {
            let expected = format!("at most {} bytes", self.limits.file_bytes);
            return self.problem(
                &shown,
                scopes,
                said,
                &expected,
                format!("{} bytes", metadata.len()),
            );
        }
        match fs::read(path) {
            Ok(bytes) if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") => {
                self.zip(&shown, &bytes, scopes, said);
            }
            Ok(bytes) => self.file(shown, bytes, scopes, said),
            Err(error) => self.problem(&shown, scopes, said, "a file that can be read", error.to_string()),
        }
    }

    fn folder(&mut self, path: &Path, scopes: &[Scope], said: Option<&str>, depth: usize) {
        let shown = path.display().to_string();
        if depth > 64 {
            return self.problem(
                &shown,
                scopes,
                said,
                "at most 64 folders within each other",
                "more".to_owned(),
            );
        }
        let mut entries: Vec<_> = match fs::read_dir(path) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
            Err(error) => {
                return self.problem(
                    &shown,
                    scopes,
                    said,
                    "a folder that can be read",
                    error.to_string(),
                );
            }
        };
        entries.sort();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let mut inner = vec![Scope { path: shown, name }];
        inner.extend(scopes.iter().filter(|scope| !scope.path.is_empty()).cloned());
        for entry in entries {
            // A link to a folder may lead in a circle: links inside folders are not followed.
            if fs::symlink_metadata(&entry).is_ok_and(|metadata| metadata.is_symlink() && entry.is_dir()) {
                continue;
            }
            self.path(&entry, &inner, said, depth + 1);
        }
    }

    fn zip(&mut self, shown: &str, bytes: &[u8], scopes: &[Scope], said: Option<&str>) {
        let mut archive = match zip::ZipArchive::new(Cursor::new(bytes)) {
            Ok(archive) => archive,
            Err(error) => {
                return self.problem(shown, scopes, said, "a ZIP that can be read", error.to_string());
            }
        };
        let stem = Path::new(shown)
            .file_stem()
            .map(|name| name.to_string_lossy().into_owned());
        let mut around = vec![Scope {
            path: shown.to_owned(),
            name: stem,
        }];
        around.extend(scopes.iter().filter(|scope| !scope.path.is_empty()).cloned());
        for at in 0..archive.len() {
            let mut member = match archive.by_index(at) {
                Ok(member) => member,
                Err(error) => {
                    let name = format!("{shown}!member {at}");
                    self.problem(
                        &name,
                        &around,
                        said,
                        "a member that can be unpacked",
                        error.to_string(),
                    );
                    continue;
                }
            };
            if member.is_dir() {
                continue;
            }
            let name = member
                .name()
                .map_or_else(|_| format!("member {at}"), |name| name.replace('\\', "/"));
            let mut inner: Vec<Scope> = Vec::new();
            let mut folder = name.as_str();
            while let Some((parent, _)) = folder.rsplit_once('/') {
                let own = parent.rsplit('/').next().unwrap_or(parent);
                inner.push(Scope {
                    path: format!("{shown}!{parent}"),
                    name: Some(own.to_owned()),
                });
                folder = parent;
            }
            inner.extend(around.iter().cloned());
            let path = format!("{shown}!{name}");
            let mut content = Vec::new();
            let room = self
                .limits
                .file_bytes
                .min(self.limits.total_bytes.saturating_sub(self.bytes));
            match member.by_ref().take(room + 1).read_to_end(&mut content) {
                Ok(read) if u64::try_from(read).unwrap_or(u64::MAX) > room => {
                    self.problem(
                        &path,
                        &inner,
                        said,
                        &format!("at most {room} bytes unpacked"),
                        "more".to_owned(),
                    );
                }
                Ok(_) => self.file(path, content, &inner, said),
                Err(error) => {
                    self.problem(
                        &path,
                        &inner,
                        said,
                        "a member that can be unpacked",
                        error.to_string(),
                    );
                }
            }
        }
    }

    fn file(&mut self, path: String, content: Vec<u8>, scopes: &[Scope], said: Option<&str>) {
        self.files += 1;
        self.bytes = self
            .bytes
            .saturating_add(u64::try_from(content.len()).unwrap_or(u64::MAX));
        if self.files > self.limits.files {
            let expected = format!("at most {} files", self.limits.files);
            return self.problem(&path, scopes, said, &expected, "more".to_owned());
        }
        if self.bytes > self.limits.total_bytes {
            let expected = format!("at most {} bytes in all files", self.limits.total_bytes);
            return self.problem(&path, scopes, said, &expected, "more".to_owned());
        }
        (self.found)(Found {
            path,
            content: Ok(content),
            scopes: scopes.to_vec(),
            said: said.map(str::to_owned),
        });
    }

    fn problem(&mut self, path: &str, scopes: &[Scope], said: Option<&str>, expected: &str, found: String) {
        (self.found)(Found {
            path: path.to_owned(),
            content: Err(Problem {
                expected: expected.to_owned(),
                found,
            }),
            scopes: scopes.to_vec(),
            said: said.map(str::to_owned),
        });
    }
}
