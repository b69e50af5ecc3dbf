//! Which server a file belongs to that does not name one.

use exseal_exchange::files::{Given, Reading};

use crate::input::{Folder, LEAF, ba, document, file, flags, given, object, read, s, servers};

/// A file that names no server.
const NETSH: &[u8] = b"    IP:port : 0.0.0.0:443\r\n    Certificate Hash : 273a20c605dc161be7c9d8bf0c3a0cd89cc912b5\r\n    \
                       Application ID : {4dc3e181-e14b-4a21-b022-59fc669b0914}\r\n    Certificate Store Name : MY\r\n";

/// A file that names one.
fn store_of(server: &str) -> Vec<u8> {
    document(&[object(
        "Microsoft.Exchange.Management.SystemConfigurationTasks.ExchangeCertificate",
        &[
            ba("RawData", LEAF),
            flags("Services", "IIS", 8),
            s("PSComputerName", server),
        ],
    )])
}

/// A file that names several.
fn list_of(names: &[&str]) -> Vec<u8> {
    let objects: Vec<String> = names
        .iter()
        .map(|name| {
            object(
                "Microsoft.Exchange.Data.Directory.Management.ExchangeServer",
                &[s("Name", name), s("Fqdn", &format!("{name}.example.org"))],
            )
        })
        .collect();
    document(&objects)
}

fn server_of(reading: &Reading, name: &str) -> String {
    let [server] = <[&str; 1]>::try_from(servers(file(reading, name))).unwrap();
    server.to_owned()
}

#[test]
fn the_name_inside_the_file_wins_over_what_was_said() {
    let folder = Folder::of(&[
        ("store.xml", &store_of("ex1.example.org")),
        ("sslcert.txt", NETSH),
    ]);
    let said = |name: &str| Given {
        server: Some("EX9".to_owned()),
        path: folder.path(name),
    };
    let reading = read(&[said("store.xml"), said("sslcert.txt")]);
    assert_eq!(server_of(&reading, "store.xml"), "ex1.example.org");
    assert_eq!(server_of(&reading, "sslcert.txt"), "EX9");
}

#[test]
fn what_was_said_wins_over_the_folder() {
    let folder = Folder::of(&[("EX2/sslcert.txt", NETSH), ("EX2/store.xml", &store_of("EX2"))]);
    let reading = read(&[Given {
        server: Some("EX1".to_owned()),
        path: folder.path("EX2"),
    }]);
    assert_eq!(server_of(&reading, "sslcert.txt"), "EX1");
}

#[test]
fn files_given_one_by_one_belong_to_the_one_server_they_name() {
    let folder = Folder::of(&[
        ("a/sslcert.txt", NETSH),
        ("b/store.xml", &store_of("ex1.example.org")),
    ]);
    let reading = folder.read(&["a/sslcert.txt", "b/store.xml"]);
    assert_eq!(server_of(&reading, "sslcert.txt"), "ex1.example.org");
}

#[test]
fn a_short_and_a_long_name_of_one_server_are_one() {
    let folder = Folder::of(&[
        ("sslcert.txt", NETSH),
        ("one.xml", &store_of("EX1")),
        ("two.xml", &store_of("ex1.example.org")),
    ]);
    let reading = folder.read(&["sslcert.txt", "one.xml", "two.xml"]);
    assert_eq!(server_of(&reading, "sslcert.txt"), "EX1");
}

#[test]
fn files_given_one_by_one_that_name_two_servers_leave_the_third_unknown() {
    let folder = Folder::of(&[
        ("sslcert.txt", NETSH),
        ("one.xml", &store_of("EX1")),
        ("two.xml", &store_of("EX2")),
    ]);
    let reading = folder.read(&["sslcert.txt", "one.xml", "two.xml"]);
    assert_eq!(server_of(&reading, "sslcert.txt"), "unknown");
    let alone = folder.read(&["sslcert.txt"]);
    assert_eq!(
        server_of(&alone, "sslcert.txt"),
        "unknown",
        "a file's own name is no server's"
    );
}

#[test]
fn the_nearest_folder_that_names_one_server_counts() {
    let folder = Folder::of(&[
        ("all/store.xml", &store_of("EX1")),
        ("all/iis/deep/sslcert.txt", NETSH),
        ("all/other/store.xml", &store_of("EX2")),
        ("all/other/sslcert2.txt", NETSH),
    ]);
    let reading = folder.read(&["all"]);
    assert_eq!(server_of(&reading, "sslcert2.txt"), "EX2");
    assert_eq!(
        server_of(&reading, "sslcert.txt"),
        "unknown",
        "the folder around them names two servers"
    );
}

#[test]
fn a_folder_called_like_a_server_that_is_named_anywhere_is_that_server() {
    let folder = Folder::of(&[
        ("all/servers.xml", &list_of(&["EX1", "EX2"])),
        ("all/EX1/store.xml", &store_of("ex1.example.org")),
        ("all/EX2/iis/sslcert.txt", NETSH),
    ]);
    let reading = folder.read(&["all"]);
    assert_eq!(
        server_of(&reading, "sslcert.txt"),
        "EX2",
        "and not EX1, the only one a store names"
    );
}

#[test]
fn what_lies_in_the_folder_of_one_server_says_nothing_about_another_folder() {
    let folder = Folder::of(&[
        ("all/EX1/store.xml", &store_of("ex1.example.org")),
        ("all/EX2/sslcert.txt", NETSH),
    ]);
    let reading = folder.read(&["all"]);
    assert_eq!(server_of(&reading, "sslcert.txt"), "EX2");
}

#[test]
fn a_list_of_all_servers_does_not_make_the_others_ambiguous() {
    let folder = Folder::of(&[
        ("x/servers.xml", &list_of(&["EX1", "EX2"])),
        ("x/store.xml", &store_of("EX1")),
        ("x/sslcert.txt", NETSH),
    ]);
    assert_eq!(server_of(&folder.read(&["x"]), "sslcert.txt"), "EX1");
}

#[test]
fn a_folder_in_which_nothing_names_a_server_stands_for_one_by_its_own_name() {
    let folder = Folder::of(&[("EX7/sslcert.txt", NETSH), ("EX7/more/second.txt", NETSH)]);
    let reading = folder.read(&["EX7"]);
    assert_eq!(server_of(&reading, "sslcert.txt"), "EX7");
}

#[test]
fn folders_of_one_name_are_not_made_one_server() {
    let folder = Folder::of(&[
        ("all/EX1/iis/a.txt", NETSH),
        ("all/EX2/iis/b.txt", NETSH),
        ("one/iis/c.txt", NETSH),
        ("two/iis/d.txt", NETSH),
    ]);
    let below = folder.read(&["all"]);
    assert_eq!(
        (server_of(&below, "a.txt"), server_of(&below, "b.txt")),
        ("EX1".to_owned(), "EX2".to_owned())
    );
    let apart = read(&[given(folder.path("one/iis")), given(folder.path("two/iis"))]);
    assert_eq!(server_of(&apart, "c.txt"), "unknown");
    let [one, two] = apart.files.as_slice() else {
        panic!("two files");
    };
    assert_ne!(one.inventory.servers[0].name, two.inventory.servers[0].name);
}

#[test]
fn within_one_file_what_names_no_server_belongs_to_the_one_that_is_named() {
    let connector = |properties: &[String]| {
        object(
            "Microsoft.Exchange.Data.Directory.SystemConfiguration.ReceiveConnector",
            properties,
        )
    };
    let bytes = document(&[
        connector(&[s("Name", "A"), s("Identity", "EX1\\A")]),
        connector(&[s("Name", "B")]),
    ]);
    let folder = Folder::of(&[("f/connectors.xml", &bytes)]);
    let reading = folder.read(&["f"]);
    assert_eq!(server_of(&reading, "connectors.xml"), "EX1");
    let names: Vec<_> = reading.files[0].inventory.servers[0]
        .receive_connectors
        .iter()
        .map(|connector| connector.name.as_str())
        .collect();
    assert_eq!(names, ["A", "B"]);
}

#[test]
fn a_directory_is_called_by_the_server_that_was_found_for_it() {
    let bytes = document(&[object(
        "Microsoft.Exchange.Data.Directory.SystemConfiguration.ADOwaVirtualDirectory",
        &[
            s("Name", "owa (Default Web Site)"),
            s("MetabasePath", ""),
            s("InternalUrl", "https://mail.example.org/owa"),
        ],
    )]);
    let folder = Folder::of(&[("EX5/owa.xml", &bytes)]);
    let reading = folder.read(&["EX5"]);
    assert_eq!(
        reading.files[0].inventory.servers[0].virtual_directories.items[0].identity,
        "EX5\\owa (Default Web Site)"
    );
}
