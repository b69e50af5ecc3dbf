//! The whole command line in one snapshot, and what is made of it.

use crate::{exseal, root, stdout};

/// Every command that help shows, with the commands below it.
fn commands() -> Vec<Vec<String>> {
    let mut found = vec![Vec::new()];
    let mut at = 0;
    while at < found.len() {
        let own: Vec<String> = found[at].clone();
        let help = exseal(100).args(&own).arg("--help").output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        let below = help
            .lines()
            .skip_while(|line| *line != "Commands:")
            .skip(1)
            .take_while(|line| !line.is_empty())
            .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| *name != "help");
        for name in below {
            let mut next = own.clone();
            next.push(name.to_owned());
            found.push(next);
        }
        at += 1;
    }
    found
}

#[test]
fn the_whole_reference_is_one_snapshot() {
    let mut reference = String::new();
    for command in commands() {
        let help = exseal(100).args(&command).arg("--help").output().unwrap();
        assert!(help.status.success(), "{command:?}");
        reference.push_str(&format!("## exseal {}\n\n", command.join(" ")));
        reference.push_str(&String::from_utf8(help.stdout).unwrap());
        reference.push('\n');
    }
    insta::assert_snapshot!(reference);
}

#[test]
fn help_names_schemas_and_pages_that_are_there() {
    for command in commands() {
        let help = exseal(200).args(&command).arg("--help").output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        let names = help
            .split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | ';'))
            .filter(|word| word.starts_with("docs/schema/"));
        for name in names {
            let name = name.trim_end_matches('.');
            assert!(root().join(name).is_file(), "{command:?} names {name}");
        }
    }
}

#[test]
fn every_shell_completes_every_command_and_the_manual_describes_it() {
    let man = stdout(&["man"]);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = stdout(&["completion", shell]);
        for command in commands().into_iter().filter(|command| !command.is_empty()) {
            let name = command.last().unwrap();
            // clap's completion for fish knows three levels.
            if shell != "fish" || command.len() <= 3 {
                assert!(script.contains(name), "{shell}: {name}");
            }
            let page = format!("exseal-{}", command.join("-")).replace('-', "\\-");
            assert!(man.contains(&page), "{page}");
        }
    }
}

#[test]
fn every_check_is_listed_and_has_its_page() {
    let list = stdout(&["checks"]);
    let checks = crate::json(&["checks", "--json"]);
    let checks = checks.as_array().unwrap();
    assert!(checks.len() >= 20, "{}", checks.len());
    for check in checks {
        let name = check["name"].as_str().unwrap();
        assert!(list.contains(name));
        assert!(!check["severities"].as_array().unwrap().is_empty(), "{name}");
    }
}
