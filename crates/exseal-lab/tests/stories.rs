//! Every preset makes a world, and every story shows what it says.

use std::collections::BTreeSet;

use exseal_lab::certificate::KeyPool;
use exseal_lab::organisation::Organisation;
use exseal_lab::presets::{self, Symptom, SymptomError, WITHOUT_STATE};
use exseal_lab::world::World;
use jiff::{SignedDuration, Timestamp};

fn now() -> Timestamp {
    "2026-11-24T09:00:00Z".parse().expect("a time")
}

fn world(organisation: &Organisation, keys: &KeyPool) -> World {
    World::with_keys(organisation, now(), 1, keys.clone()).expect("a world")
}

/// Looks; what is in a log is looked for after a day, in which the services said it.
fn look(sentences: &[Symptom], world: &mut World) -> Vec<SymptomError> {
    let mut wrong: Vec<SymptomError> = sentences
        .iter()
        .filter(|own| !own.is_of_the_log())
        .filter_map(|own| own.look(world).err())
        .collect();
    world.advance(SignedDuration::from_hours(25));
    wrong.extend(
        sentences
            .iter()
            .filter(|own| own.is_of_the_log())
            .filter_map(|own| own.look(world).err()),
    );
    wrong
}

#[test]
fn every_story_shows_what_it_says_and_healthy_organisations_do_not() {
    let keys = KeyPool::new(4);
    let mut wrong = Vec::new();
    for name in presets::names() {
        let organisation = presets::get(name).expect("a preset").expect(name);
        let mut made = world(&organisation, &keys);
        let Some(story) = organisation.story else {
            continue;
        };
        let sentences: Vec<Symptom> = story
            .shows
            .iter()
            .map(|text| Symptom::parse(text).expect(name))
            .collect();
        assert!(!sentences.is_empty(), "{name} tells nothing");
        assert!(!story.tries.is_empty(), "{name} leaves nothing to try");
        for error in look(&sentences, &mut made) {
            wrong.push(format!("{name}: {error}"));
        }
        for healthy in ["healthy", "healthy-dag", "healthy-two-sites"] {
            let organisation = presets::get(healthy).expect("a preset").expect(healthy);
            if look(&sentences, &mut world(&organisation, &keys)).is_empty() {
                wrong.push(format!("{name}: {healthy} shows the same"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn healthy_organisations_work() {
    let keys = KeyPool::new(4);
    for name in ["healthy", "healthy-dag", "healthy-two-sites"] {
        let organisation = presets::get(name).expect("a preset").expect(name);
        let mut made = world(&organisation, &keys);
        for server in &organisation.servers {
            let own = &server.name;
            let mut sentences = vec![format!("{own} port 25 open")];
            if !own.starts_with("EDGE") {
                sentences.extend([
                    format!("{own} front-end works"),
                    format!("{own} session opens"),
                    format!("{own}:443 presents public for=mail.contoso.com"),
                    format!("{own}:444 presents self-signed for={own}.contoso.lab"),
                    format!("{own} auth present"),
                ]);
            }
            for sentence in sentences {
                let symptom = Symptom::parse(&sentence).expect("a sentence");
                symptom.look(&mut made).expect(name);
            }
        }
        made.advance(SignedDuration::from_hours(25));
        let events: Vec<_> = made
            .servers()
            .flat_map(|server| server.events.clone())
            .map(|event| event.message)
            .collect();
        assert!(events.is_empty(), "{name}: {events:?}");
    }
}

#[test]
fn all_79_scenarios_have_a_story_or_a_reason() {
    let mut numbers: Vec<u8> = WITHOUT_STATE.iter().map(|(number, _)| *number).collect();
    for name in presets::names() {
        let organisation = presets::get(name).expect("a preset").expect(name);
        numbers.extend(organisation.story.map(|story| story.number));
    }
    let all: BTreeSet<u8> = numbers.iter().copied().collect();
    assert_eq!(all, (1..=79).collect());
    assert_eq!(numbers.len(), 79, "a scenario is there twice");
}

#[test]
fn no_preset_lies_outside_of_the_list() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("presets");
    let files = |folder: &std::path::Path| -> Vec<String> {
        std::fs::read_dir(folder)
            .expect("the folder")
            .filter_map(|entry| entry.expect("an entry").file_name().into_string().ok())
            .filter_map(|name| name.strip_suffix(".toml").map(str::to_owned))
            .collect()
    };
    let there: BTreeSet<String> = files(&folder)
        .into_iter()
        .chain(files(&folder.join("stories")))
        .collect();
    assert_eq!(there, presets::names().map(str::to_owned).collect());
}

#[test]
fn the_page_of_stories_is_up_to_date() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/lab/stories.md");
    if std::env::var_os("EXSEAL_UPDATE").is_some() {
        std::fs::write(&page, presets::stories_page()).expect("written");
    }
    let text = std::fs::read_to_string(&page).expect("docs/lab/stories.md");
    assert!(
        text.replace("\r\n", "\n") == presets::stories_page(),
        "docs/lab/stories.md is not what the presets say; write it again with EXSEAL_UPDATE=1"
    );
}
