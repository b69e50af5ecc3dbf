//! Folders, ZIPs and single files, one after the other, within limits.

use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::path::Path;

use super::{Given, Limits};

/// Members of a ZIP up to this size may be packed as well as they like.
const SMALL: u64 = 1 << 20;

/// Folders within each other.
const DEPTH: usize = 64;

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

impl Problem {
    fn new(expected: impl Into<String>, found: impl ToString) -> Self {
        Self {
            expected: expected.into(),
            found: found.to_string(),
        }
    }
}

/// What the files of one given path have in common.
#[derive(Clone, Copy)]
struct Place<'p> {
    scopes: &'p [Scope],
    said: Option<&'p str>,
    depth: usize,
}

struct Walker<'w> {
    limits: &'w Limits,
    bytes: u64,
    files: usize,
    /// No file is read any more: a limit of all files together was reached, and said so.
    full: bool,
    found: &'w mut dyn FnMut(Found),
}

/// The same for one file that is in memory already.
pub(super) fn walk_bytes(name: &str, bytes: Vec<u8>, limits: &Limits, found: &mut dyn FnMut(Found)) {
    let mut walker = Walker {
        limits,
        bytes: 0,
        files: 0,
        full: false,
        found,
    };
    let together = Scope {
        path: String::new(),
        name: None,
    };
    let place = Place {
        scopes: &[together],
        said: None,
        depth: 0,
    };
    let content = walker.content(&mut bytes.as_slice(), u64::MAX);
    walker.file(name.to_owned(), content, place);
}

/// Calls `found` for each file in the order given, those of a folder in the order of their names.
pub(super) fn walk(given: &[Given], limits: &Limits, found: &mut dyn FnMut(Found)) {
    let mut walker = Walker {
        limits,
        bytes: 0,
        files: 0,
        full: false,
        found,
    };
    for given in given {
        let together = Scope {
            path: String::new(),
            name: None,
        };
        let place = Place {
            scopes: &[together],
            said: given.server.as_deref(),
            depth: 0,
        };
        walker.path(&given.path, place);
    }
}

impl Walker<'_> {
    fn path(&mut self, path: &Path, place: Place<'_>) {
        if self.full {
            return;
        }
        let shown = path.display().to_string();
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => return self.folder(path, place),
            // A pipe may be given by name (`<(…)`); inside a folder one would only be waited for.
            Ok(metadata) if !metadata.is_file() && place.depth > 0 => {
                let problem = Problem::new("a file or folder", "a pipe, socket or device");
                return self.give(shown, Err(problem), place);
            }
            Ok(_) => {}
            Err(error) => {
                let problem = Problem::new("a file, folder or ZIP", error);
                return self.give(shown, Err(problem), place);
            }
        }
        let content = File::open(path)
            .map_err(|error| Problem::new("a file that can be read", error))
            .and_then(|mut file| self.content(&mut file, u64::MAX));
        self.file(shown, content, place);
    }

    /// A ZIP gives its members, any other file itself.
    fn file(&mut self, shown: String, content: Result<Vec<u8>, Problem>, place: Place<'_>) {
        match content {
            Ok(bytes) if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") => {
                self.zip(&shown, &bytes, place);
            }
            content => self.give(shown, content, place),
        }
    }

    /// Reads to the end, within the limits and at most `allowed` bytes.
    fn content(&self, from: &mut dyn Read, allowed: u64) -> Result<Vec<u8>, Problem> {
        let left = self.limits.total_bytes.saturating_sub(self.bytes);
        let room = self.limits.file_bytes.min(left).min(allowed);
        let mut content = Vec::new();
        from.take(room.saturating_add(1))
            .read_to_end(&mut content)
            .map_err(|error: io::Error| Problem::new("a file that can be read", error))?;
        if u64::try_from(content.len()).is_ok_and(|length| length <= room) {
            return Ok(content);
        }
        Err(if room == left {
            Problem::new(
                format!("at most {} bytes in all files together", self.limits.total_bytes),
                "more",
            )
        } else if room == allowed {
            Problem::new(
                format!(
                    "a member that unpacks to at most {} times its size",
                    self.limits.ratio
                ),
                format!("more than {room} bytes"),
            )
        } else {
            Problem::new(format!("at most {room} bytes"), "more")
        })
    }

    fn folder(&mut self, path: &Path, place: Place<'_>) {
        let shown = path.display().to_string();
        if place.depth >= DEPTH {
            let problem = Problem::new(format!("at most {DEPTH} folders within each other"), "more");
            return self.give(shown, Err(problem), place);
        }
        let mut entries: Vec<_> = match fs::read_dir(path) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
            Err(error) => {
                let problem = Problem::new("a folder that can be read", error);
                return self.give(shown, Err(problem), place);
            }
        };
        entries.sort();
        let own = Scope {
            path: shown,
            name: own_name(path),
        };
        let scopes = within(own, place.scopes);
        let inside = Place {
            scopes: &scopes,
            said: place.said,
            depth: place.depth + 1,
        };
        for entry in entries {
            // A link to a folder may lead in a circle.
            if fs::symlink_metadata(&entry).is_ok_and(|metadata| metadata.is_symlink()) && entry.is_dir() {
                let problem = Problem::new("a file or folder", "a link to a folder, which is not followed");
                self.give(entry.display().to_string(), Err(problem), inside);
                continue;
            }
            self.path(&entry, inside);
        }
    }

    fn zip(&mut self, shown: &str, bytes: &[u8], place: Place<'_>) {
        let mut archive = match zip::ZipArchive::new(Cursor::new(bytes)) {
            Ok(archive) => archive,
            Err(error) => {
                let problem = Problem::new("a ZIP that can be read", error);
                return self.give(shown.to_owned(), Err(problem), place);
            }
        };
        let own = Scope {
            path: shown.to_owned(),
            name: Path::new(shown)
                .file_stem()
                .map(|name| name.to_string_lossy().into_owned()),
        };
        let around = within(own, place.scopes);
        // In the order of their names, like a folder: the order in the archive is an accident of the packer.
        let mut members: Vec<(String, usize)> = (0..archive.len())
            .map(|at| {
                let name = archive.by_index_raw(at).ok();
                let name = name.and_then(|member| member.name().ok().map(|name| name.replace('\\', "/")));
                (name.unwrap_or_else(|| format!("member {at}")), at)
            })
            .collect();
        members.sort();
        for (name, at) in members {
            if self.full {
                return;
            }
            if name.ends_with('/') {
                continue;
            }
            let scopes = scopes_in_zip(shown, &name, &around);
            let inside = Place {
                scopes: &scopes,
                said: place.said,
                depth: place.depth + 1,
            };
            let content = match archive.by_index(at) {
                Ok(mut member) => {
                    let allowed = member
                        .compressed_size()
                        .saturating_mul(self.limits.ratio)
                        .max(SMALL);
                    self.content(&mut member, allowed)
                }
                Err(error) => Err(Problem::new("a member that can be unpacked", error)),
            };
            self.give(format!("{shown}!{name}"), content, inside);
        }
    }

    fn give(&mut self, path: String, content: Result<Vec<u8>, Problem>, place: Place<'_>) {
        if self.full {
            return;
        }
        self.files += 1;
        let length = content.as_ref().map_or(0, Vec::len);
        self.bytes = self
            .bytes
            .saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        let content = if self.files > self.limits.files {
            self.full = true;
            Err(Problem::new(
                format!("at most {} files", self.limits.files),
                "more: this one and those behind it are not read",
            ))
        } else {
            content
        };
        (self.found)(Found {
            path,
            content,
            scopes: place.scopes.to_vec(),
            said: place.said.map(str::to_owned),
        });
    }
}

/// A folder's own name, also of `.` and `..`.
fn own_name(path: &Path) -> Option<String> {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    name(path).or_else(|| name(&fs::canonicalize(path).ok()?))
}

/// The scopes of what lies in `own`: itself, then those around it that are folders or ZIPs.
fn within(own: Scope, around: &[Scope]) -> Vec<Scope> {
    let mut scopes = vec![own];
    scopes.extend(around.iter().filter(|scope| !scope.path.is_empty()).cloned());
    scopes
}

fn scopes_in_zip(archive: &str, member: &str, around: &[Scope]) -> Vec<Scope> {
    let mut scopes = Vec::new();
    let mut inside = member;
    while let Some((folder, _)) = inside.rsplit_once('/') {
        scopes.push(Scope {
            path: format!("{archive}!{folder}"),
            name: folder.rsplit('/').next().map(str::to_owned),
        });
        inside = folder;
    }
    scopes.extend(around.iter().cloned());
    scopes
}
