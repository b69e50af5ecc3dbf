//! Security tokens of a hostile peer: any bytes in place of a token, a valid handshake with edits in it, and sealed
//! messages with edits in them. Nothing may panic, grow, or be taken for proven.
//!
//! The first byte says where the rest goes; see [`Place`].

#![no_main]

use std::sync::{Arc, LazyLock};

use exseal_gss::{
    Acceptance, ChannelBinding, Credential, GssError, KdcExchange, KdcUnreachable, Keytab, OneAccount,
    Password, Scheme, SecurityContext, Target, UserName, acceptor, initiator,
};
use libfuzzer_sys::fuzz_target;

const USER: &str = r"CONTOSO\alice";
const PASSWORD: &str = "P@ssw0rd";
/// What an honest peer writes is far shorter; a field of NTLM has 64 KiB.
const LONGEST_ANSWER: usize = 512 * 1024;

/// Where the bytes go, by the first byte.
#[derive(Clone, Copy)]
enum Place {
    /// To a server as the first token.
    First,
    /// To a server as the second token, after a valid first one.
    Second,
    /// To a client as the server's answer.
    Answer,
    /// To a client that is done, as the server's last word.
    LastWord,
    /// Edits of one token of a valid handshake.
    Edits,
    /// A sealed message: its header's length, header, data.
    Message,
    /// Edits of a valid sealed message.
    MessageEdits,
    /// To a Kerberos server as its only token, and to Negotiate with a keytab.
    Ticket,
    /// To a Kerberos client as what the key distribution centre answers.
    Centre,
}

const PLACES: [Place; 9] = [
    Place::First,
    Place::Second,
    Place::Answer,
    Place::LastWord,
    Place::Edits,
    Place::Message,
    Place::MessageEdits,
    Place::Ticket,
    Place::Centre,
];

/// What the crate catches of a library under it is an error, as in the product; what leaves the crate still aborts.
static QUIET: std::sync::Once = std::sync::Once::new();

fuzz_target!(|bytes: &[u8]| {
    QUIET.call_once(|| std::panic::set_hook(Box::new(|info| eprintln!("{info}"))));
    let Some((&place, rest)) = bytes.split_first() else {
        return;
    };
    let place = PLACES[usize::from(place) % PLACES.len()];
    match place {
        Place::Ticket => ticket(rest),
        Place::Centre => centre(rest),
        _ => {
            for scheme in [Scheme::Ntlm, Scheme::Negotiate] {
                at(place, scheme, rest);
            }
        }
    }
});

fn at(place: Place, scheme: Scheme, bytes: &[u8]) {
    match place {
        Place::First => {
            let mut server = server(scheme);
            let _ = bounded(server.step(Some(bytes)));
            // Whatever that was: the same again proves nothing either.
            let _ = bounded(server.step(Some(bytes)));
            assert!(!server.is_established() && server.peer().is_none());
        }
        Place::Second => {
            let mut server = server(scheme);
            let first = client(scheme).step(None).expect("a first token").token;
            server.step(first.as_deref()).expect("a challenge");
            assert!(server.step(Some(bytes)).is_err() || !server.is_established());
        }
        Place::Answer => {
            let mut client = client(scheme);
            client.step(None).expect("a first token");
            let _ = bounded(client.step(Some(bytes)));
            let _ = bounded(client.step(Some(bytes)));
        }
        Place::LastWord => {
            let (mut client, _) = session(scheme);
            if bounded(client.step(Some(bytes))).is_err() {
                assert!(client.seal(b"x").is_err(), "a refused context stays refused");
            }
        }
        Place::Edits => handshake(scheme, bytes),
        Place::Message => {
            let (mut client, mut server) = session(scheme);
            let (length, rest) = bytes
                .split_first()
                .map_or((0, bytes), |(length, rest)| (*length, rest));
            let (header, data) = rest.split_at(usize::from(length).min(rest.len()));
            assert!(client.open(header, data).is_err() && server.open(header, data).is_err());
            assert!(
                server.open(header, data).is_err(),
                "a refused message ends the session"
            );
        }
        Place::MessageEdits => message(scheme, bytes),
        Place::Ticket | Place::Centre => {}
    }
}

/// One token of a handshake with edits: who is let in all the same is the user, and what opens is what was sealed.
fn handshake(scheme: Scheme, bytes: &[u8]) {
    let (&leg, edits) = bytes.split_first().unwrap_or((&0, &[]));
    let edited = |number: u8, token: Vec<u8>| {
        if leg % 4 == number {
            edit(token, edits)
        } else {
            token
        }
    };
    let binding = (leg & 0x10 != 0)
        .then(|| ChannelBinding::tls_server_end_point(CERTIFICATE))
        .and_then(Result::ok);
    let mut client = client_of(scheme, binding.clone());
    let mut server = acceptor(
        scheme,
        Acceptance {
            binding,
            ..acceptance()
        },
    )
    .expect("a server");
    let mut number = 0;
    let mut token = bounded(client.step(None)).ok().and_then(|step| step.token);
    while let Some(to_server) = token.take() {
        let Ok(answer) = bounded(server.step(Some(&edited(number, to_server)))) else {
            break;
        };
        number += 1;
        if let Some(to_client) = answer.token {
            token = match bounded(client.step(Some(&edited(number, to_client)))) {
                Ok(step) => step.token,
                Err(_) => break,
            };
            number += 1;
        }
        assert!(number <= 8, "a handshake has an end");
    }
    assert_eq!(server.peer().is_some(), server.is_established());
    if server.is_established() {
        assert_eq!(server.peer(), Some(USER));
    }
    if server.is_established() && client.is_established() {
        // A signature of the mechanisms that was cut out leaves the two counting differently: then nothing opens.
        let sealed = client.seal(b"a secret").expect("sealed");
        if let Ok(opened) = server.open(&sealed.header, &sealed.data) {
            assert_eq!(opened, b"a secret");
        }
    }
}

/// A sealed message with edits: what opens is what was sealed.
fn message(scheme: Scheme, bytes: &[u8]) {
    let (mut client, mut server) = session(scheme);
    let plain = bytes;
    let sealed = server.seal(plain).expect("sealed");
    assert_eq!(sealed.data.len(), plain.len());
    let header = edit(sealed.header.clone(), bytes.get(..4).unwrap_or_default());
    let data = edit(sealed.data.clone(), bytes.get(4..).unwrap_or_default());
    match client.open(&header, &data) {
        Ok(opened) => assert!(opened == plain && header == sealed.header && data == sealed.data),
        Err(_) => assert!(
            client.open(&sealed.header, &sealed.data).is_err(),
            "the context is finished"
        ),
    }
}

fn ticket(bytes: &[u8]) {
    for scheme in [Scheme::Kerberos, Scheme::Negotiate] {
        let mut server = acceptor(
            scheme,
            Acceptance {
                keytab: Some(Arc::clone(&KEYTAB)),
                ..acceptance()
            },
        )
        .expect("a server");
        let _ = bounded(server.step(Some(bytes)));
        let _ = bounded(server.step(Some(bytes)));
        assert!(!server.is_established() && server.peer().is_none());
    }
}

fn centre(bytes: &[u8]) {
    struct Hostile(Vec<u8>);
    impl KdcExchange for Hostile {
        fn ask(&mut self, _: &str, _: &[u8]) -> Result<Vec<u8>, KdcUnreachable> {
            Ok(self.0.clone())
        }
    }
    let credential = Credential::Password {
        user: UserName::parse("alice@CONTOSO.COM").expect("a user"),
        password: Password::new(PASSWORD.to_owned()),
    };
    let target = Target::http("ex1.contoso.com");
    let mut client = initiator(
        Scheme::Kerberos,
        credential,
        &target,
        None,
        Some(Box::new(Hostile(bytes.to_vec()))),
    )
    .expect("a client");
    assert!(
        client.step(None).is_err(),
        "no ticket comes from one who does not know the password"
    );
    assert!(!client.is_established());
}

/// Applies edits of four bytes each: where (two bytes), what, and with which byte.
fn edit(mut token: Vec<u8>, edits: &[u8]) -> Vec<u8> {
    for four in edits.chunks_exact(4).take(64) {
        let [high, low, kind, value] = *four else { continue };
        let place = usize::from(u16::from_be_bytes([high, low])) % (token.len() + 1);
        match (kind % 5, token.get_mut(place)) {
            (0, Some(byte)) => *byte ^= value,
            (1, Some(byte)) => *byte = value,
            (2, _) => token.insert(place, value),
            (3, Some(_)) => {
                token.remove(place);
            }
            (4, _) => token.truncate(place),
            _ => {}
        }
    }
    token
}

fn bounded(step: Result<exseal_gss::Step, GssError>) -> Result<exseal_gss::Step, GssError> {
    if let Ok(step) = &step {
        assert!(
            step.token
                .as_ref()
                .is_none_or(|token| token.len() <= LONGEST_ANSWER)
        );
    }
    step
}

fn client(scheme: Scheme) -> Box<dyn SecurityContext> {
    client_of(scheme, None)
}

fn client_of(scheme: Scheme, binding: Option<ChannelBinding>) -> Box<dyn SecurityContext> {
    let credential = Credential::Password {
        user: UserName::parse(USER).expect("a user"),
        password: Password::new(PASSWORD.to_owned()),
    };
    initiator(
        scheme,
        credential,
        &Target::http("ex1.contoso.com"),
        binding,
        None,
    )
    .expect("a client")
}

fn acceptance() -> Acceptance {
    Acceptance {
        accounts: Some(ACCOUNTS.clone()),
        ..Acceptance::default()
    }
}

fn server(scheme: Scheme) -> Box<dyn SecurityContext> {
    acceptor(scheme, acceptance()).expect("a server")
}

/// Both ends of an established session.
fn session(scheme: Scheme) -> (Box<dyn SecurityContext>, Box<dyn SecurityContext>) {
    let (mut client, mut server) = (client(scheme), server(scheme));
    let mut token = client.step(None).expect("a token").token;
    while let Some(to_server) = token.take() {
        if let Some(to_client) = server.step(Some(&to_server)).expect("an answer").token {
            token = client.step(Some(&to_client)).expect("a token").token;
        }
    }
    assert!(client.is_established() && server.is_established());
    (client, server)
}

static ACCOUNTS: LazyLock<Arc<OneAccount>> = LazyLock::new(|| {
    Arc::new(OneAccount::new(
        UserName::parse(USER).expect("a user"),
        Password::new(PASSWORD.to_owned()),
    ))
});

/// One key of AES-256 for `HTTP/ex1.contoso.com@CONTOSO.COM`.
static KEYTAB: LazyLock<Arc<Keytab>> = LazyLock::new(|| {
    let text = |text: &str| {
        [
            &u16::try_from(text.len()).expect("short").to_be_bytes()[..],
            text.as_bytes(),
        ]
        .concat()
    };
    let mut entry = 2_u16.to_be_bytes().to_vec();
    entry.extend([text("CONTOSO.COM"), text("HTTP"), text("ex1.contoso.com")].concat());
    entry.extend(1_u32.to_be_bytes()); // the kind of name
    entry.extend(0_u32.to_be_bytes()); // when it was made
    entry.push(1); // the key's version
    entry.extend(18_u16.to_be_bytes());
    entry.extend(32_u16.to_be_bytes());
    entry.extend([7; 32]);
    let mut file = vec![5, 2];
    file.extend(u32::try_from(entry.len()).expect("short").to_be_bytes());
    file.extend(entry);
    Arc::new(Keytab::parse(&file).expect("a keytab"))
});

/// The outer shape of a certificate signed with SHA-256: enough for a binding.
const CERTIFICATE: &[u8] = &[
    0x30, 22, 0x30, 3, 0x04, 1, 0x61, 0x30, 11, 0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11, 0x03,
    2, 0, 0,
];
