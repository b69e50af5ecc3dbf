//! Files, folders and ZIPs, and their limits.

use std::io::Cursor;
use std::io::Write as _;

use exseal_exchange::files::Limits;
use zip::write::SimpleFileOptions;

use crate::input::{
    Folder, LEAF, errors, file, given, not_recognised, paths, pem, read, read_within, servers,
};

const NETSH: &str = "    IP:port : 0.0.0.0:443\r\n    Certificate Hash : 273a20c605dc161be7c9d8bf0c3a0cd89cc912b5\r\n    \
                     Application ID : {4dc3e181-e14b-4a21-b022-59fc669b0914}\r\n    Certificate Store Name : MY\r\n";

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn a_path_that_does_not_exist_is_an_error_and_the_others_are_read() {
    let folder = Folder::of(&[("leaf.cer", LEAF)]);
    let reading = folder.read(&["nothing.xml", "leaf.cer"]);
    let missing = file(&reading, "nothing.xml");
    assert_eq!(missing.inventory.errors.len(), 1);
    assert_eq!(missing.inventory.errors[0].expected, "a file, folder or ZIP");
    assert_eq!(file(&reading, "leaf.cer").inventory.certificates.len(), 1);
}

#[test]
fn files_come_in_the_order_given_and_those_of_a_folder_by_name() {
    let folder = Folder::of(&[
        ("f/b.cer", LEAF),
        ("f/a/z.cer", LEAF),
        ("f/c.txt", b"text"),
        ("first.cer", LEAF),
    ]);
    let reading = folder.read(&["first.cer", "f"]);
    let names: Vec<_> = paths(&reading)
        .into_iter()
        .map(|path| path.rsplit(['/', '\\']).next().unwrap())
        .collect();
    assert_eq!(names, ["first.cer", "z.cer", "b.cer", "c.txt"]);
    assert!(!reading.is_empty());
}

#[test]
fn a_zip_is_read_member_by_member_and_its_names_stand_behind_an_exclamation_mark() {
    let inner = zip(&[("x.cer", LEAF)]);
    let archive = zip(&[
        ("EX1/sslcert.txt", NETSH.as_bytes()),
        ("EX2\\leaf.pem", pem("CERTIFICATE", LEAF).as_bytes()),
        ("EX2/inner.zip", &inner),
    ]);
    let folder = Folder::of(&[("exports.zip", &archive)]);
    let reading = folder.read(&["exports.zip"]);
    let ends: Vec<_> = paths(&reading)
        .into_iter()
        .map(|path| path.rsplit_once("exports.zip").unwrap().1)
        .collect();
    assert_eq!(ends, ["!EX1/sslcert.txt", "!EX2/inner.zip", "!EX2/leaf.pem"]);
    assert_eq!(servers(file(&reading, "sslcert.txt")), ["EX1"]);
    assert_eq!(
        not_recognised(file(&reading, "inner.zip")),
        ["a ZIP inside a ZIP: unpack it first"]
    );
    assert_eq!(file(&reading, "leaf.pem").inventory.of_unknown_use.len(), 1);
}

#[test]
fn a_zip_that_unpacks_to_far_more_than_it_holds_is_refused_and_the_rest_is_read() {
    let archive = zip(&[("bomb.xml", &vec![b' '; 8 << 20]), ("leaf.cer", LEAF)]);
    assert!(archive.len() < 16 << 10);
    let folder = Folder::of(&[("bomb.zip", &archive)]);
    let reading = folder.read(&["bomb.zip"]);
    let bomb = errors(file(&reading, "bomb.xml"));
    assert_eq!(bomb.len(), 1);
    assert!(
        bomb[0].starts_with(
            "the file: expected a member that unpacks to at most 500 times its size, found more than"
        ),
        "{bomb:?}"
    );
    assert_eq!(file(&reading, "leaf.cer").inventory.certificates.len(), 1);
}

#[test]
fn a_damaged_zip_is_an_error_that_names_it() {
    let archive = zip(&[("leaf.cer", LEAF), ("other.cer", LEAF)]);
    let folder = Folder::of(&[
        ("cut.zip", &archive[..archive.len() / 2]),
        ("empty.zip", &zip(&[])),
        ("flipped.zip", &{
            let mut bytes = archive.clone();
            for byte in &mut bytes[60..90] {
                *byte = !*byte;
            }
            bytes
        }),
    ]);
    let cut = folder.read(&["cut.zip"]);
    assert_eq!(cut.files.len(), 1);
    assert_eq!(
        cut.files[0].inventory.errors[0].expected,
        "a ZIP that can be read"
    );
    let flipped = folder.read(&["flipped.zip"]);
    assert_eq!(flipped.files.len(), 2, "both members are named");
    assert_eq!(errors(file(&flipped, "leaf.cer")).len(), 1);
    assert_eq!(file(&flipped, "other.cer").inventory.certificates.len(), 1);
    assert!(folder.read(&["empty.zip"]).files.is_empty());
}

#[test]
fn the_limits_of_size_and_number_are_errors_that_name_the_limit() {
    let folder = Folder::of(&[("f/a.cer", LEAF), ("f/b.cer", LEAF), ("f/c.cer", LEAF)]);
    let all = [given(folder.path("f"))];
    let mut limits = Limits::default();
    limits.file_bytes = 100;
    let small = read_within(&all, limits);
    assert!(small.files.iter().all(|file| {
        errors(file) == ["the file: expected at most 100 bytes, found more"]
            && file.inventory.certificates.is_empty()
    }));

    let mut limits = Limits::default();
    limits.total_bytes = 900;
    let total = read_within(&all, limits);
    assert_eq!(total.files.len(), 3);
    assert_eq!(
        errors(&total.files[2]),
        ["the file: expected at most 900 bytes in all files together, found more"]
    );

    let mut limits = Limits::default();
    limits.files = 1;
    let number = read_within(&all, limits);
    assert_eq!(
        number.files.len(),
        2,
        "the second says so, the third is not looked at"
    );
    assert_eq!(
        errors(&number.files[1]),
        ["the file: expected at most 1 files, found more: this one and those behind it are not read"]
    );
}

#[cfg(unix)]
#[test]
fn a_link_to_a_folder_is_named_and_not_followed() {
    let folder = Folder::of(&[("f/a.cer", LEAF)]);
    std::os::unix::fs::symlink(folder.path("f"), folder.path("f/loop")).unwrap();
    let reading = folder.read(&["f"]);
    assert_eq!(reading.files.len(), 2);
    assert_eq!(
        errors(file(&reading, "loop")),
        ["the file: expected a file or folder, found a link to a folder, which is not followed"]
    );
}

#[test]
fn an_empty_file_is_listed() {
    let folder = Folder::of(&[("empty.xml", b"")]);
    let reading = read(&[given(folder.path("empty.xml"))]);
    assert_eq!(not_recognised(&reading.files[0]), ["an empty file"]);
    assert!(reading.is_empty());
}
