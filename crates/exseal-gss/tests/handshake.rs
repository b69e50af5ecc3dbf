//! NTLM and SPNEGO, client against server: what must come about, and what must be refused.

#![expect(clippy::unwrap_used, reason = "a test's own input")]

use std::sync::Arc;

use exseal_gss::{
    Acceptance, ChannelBinding, Credential, GssError, Mechanism, OneAccount, Password, Protection, Scheme,
    SecurityContext, Target, UserName, acceptor, initiator,
};

const USER: &str = r"CONTOSO\älice";
const PASSWORD: &str = "P@ssw0rd ß 😀";

fn client(
    scheme: Scheme,
    user: &str,
    password: &str,
    binding: Option<ChannelBinding>,
) -> Box<dyn SecurityContext> {
    let credential = Credential::Password {
        user: UserName::parse(user).unwrap(),
        password: Password::new(password.to_owned()),
    };
    initiator(
        scheme,
        credential,
        &Target::http("ex1.contoso.com"),
        binding,
        None,
    )
    .unwrap()
}

fn acceptance() -> Acceptance {
    let account = OneAccount::new(UserName::parse(USER).unwrap(), Password::new(PASSWORD.to_owned()));
    Acceptance {
        accounts: Some(Arc::new(account)),
        ..Acceptance::default()
    }
}

fn server(scheme: Scheme) -> Box<dyn SecurityContext> {
    acceptor(scheme, acceptance()).unwrap()
}

fn shake(client: &mut dyn SecurityContext, server: &mut dyn SecurityContext) -> Result<usize, GssError> {
    let mut legs = 0;
    let mut token = client.step(None)?.token;
    while let Some(to_server) = token.take() {
        legs += 1;
        if let Some(to_client) = server.step(Some(&to_server))?.token {
            token = client.step(Some(&to_client))?.token;
        }
    }
    Ok(legs)
}

#[test]
fn both_schemes_end_in_a_session_that_carries_messages_both_ways() {
    for (of_client, of_server) in [
        (Scheme::Ntlm, Scheme::Ntlm),
        (Scheme::Negotiate, Scheme::Negotiate),
        (Scheme::Ntlm, Scheme::Negotiate),
    ] {
        let (mut client, mut server) = (client(of_client, USER, PASSWORD, None), server(of_server));
        let legs = shake(&mut *client, &mut *server).unwrap();
        assert_eq!(legs, 2, "{of_client:?} to {of_server:?}");
        assert!(client.is_established() && server.is_established());
        assert_eq!(server.peer(), Some(USER));
        assert_eq!(server.mechanism(), Mechanism::Ntlm);
        assert_eq!(server.protection(), Protection::Sealed);
        for round in 0..3 {
            for size in [0, 1, 20_000] {
                let plain = vec![round; size];
                let sealed = client.seal(&plain).unwrap();
                assert_eq!(sealed.data.len(), size);
                assert!(size < 2 || sealed.data != plain, "it must not be readable");
                assert_eq!(server.open(&sealed.header, &sealed.data).unwrap(), plain);
                let sealed = client.seal(&plain).unwrap();
                let token = [sealed.header, sealed.data].concat();
                assert_eq!(server.open_token(&token).unwrap(), plain);
                let sealed = server.seal(&plain).unwrap();
                assert_eq!(client.open(&sealed.header, &sealed.data).unwrap(), plain);
            }
        }
    }
}

#[test]
fn wrong_passwords_and_unknown_users_are_refused_in_the_same_words() {
    for scheme in [Scheme::Ntlm, Scheme::Negotiate] {
        let mut words = Vec::new();
        for (user, password) in [
            (USER, "wr0ng!"),
            (USER, ""),
            (r"CONTOSO\bob", PASSWORD),
            (r"OTHER\älice", PASSWORD),
        ] {
            let mut server = server(scheme);
            let error = shake(&mut *client(scheme, user, password, None), &mut *server).unwrap_err();
            assert!(matches!(error, GssError::LogonDenied { .. }), "{error}");
            assert!(!server.is_established() && server.peer().is_none());
            assert!(
                server.seal(b"x").is_err() && server.step(Some(b"x")).is_err(),
                "a refused context stays refused"
            );
            words.push(error.to_string().replace(user, "").replace('"', ""));
            assert!(password.is_empty() || !error.to_string().contains(password));
        }
        let word = |text: &String| text.split(':').next_back().map(str::to_owned);
        assert!(
            words.iter().all(|text| word(text) == word(&words[0])),
            "{words:?}"
        );
    }
}

#[test]
fn names_are_compared_without_case_and_a_missing_domain_is_no_other_domain() {
    for user in [r"contoso\älice", "älice"] {
        shake(
            &mut *client(Scheme::Ntlm, user, PASSWORD, None),
            &mut *server(Scheme::Ntlm),
        )
        .unwrap();
    }
}

#[test]
fn every_changed_byte_of_a_token_is_refused_or_changes_nothing_that_was_proven() {
    let mut proven = client(Scheme::Ntlm, USER, PASSWORD, None);
    let mut first = server(Scheme::Ntlm);
    let negotiate = proven.step(None).unwrap().token.unwrap();
    let challenge = first.step(Some(&negotiate)).unwrap().token.unwrap();
    let authenticate = proven.step(Some(&challenge)).unwrap().token.unwrap();
    assert!(first.step(Some(&authenticate)).unwrap().established);

    // The same token for another server's challenge is a replay.
    let mut second = server(Scheme::Ntlm);
    second.step(Some(&negotiate)).unwrap();
    assert!(matches!(
        second.step(Some(&authenticate)),
        Err(GssError::LogonDenied { .. })
    ));

    // Each byte changed within one handshake: the integrity code and the proof cover them all.
    for at in 0..authenticate.len() {
        let mut client = client(Scheme::Ntlm, USER, PASSWORD, None);
        let mut server = server(Scheme::Ntlm);
        let challenge = server
            .step(client.step(None).unwrap().token.as_deref())
            .unwrap()
            .token
            .unwrap();
        let mut token = client.step(Some(&challenge)).unwrap().token.unwrap();
        if let Some(byte) = token.get_mut(at) {
            *byte ^= 1;
        }
        assert!(server.step(Some(&token)).is_err(), "byte {at} was changed");
    }
}

#[test]
fn altered_replayed_and_reordered_messages_are_refused_and_end_the_session() {
    let session = || {
        let (mut client, mut server) = (
            client(Scheme::Negotiate, USER, PASSWORD, None),
            server(Scheme::Negotiate),
        );
        shake(&mut *client, &mut *server).unwrap();
        (client, server)
    };
    let (mut from, mut to) = session();
    let sealed = from.seal(b"one").unwrap();
    to.open(&sealed.header, &sealed.data).unwrap();
    assert!(
        matches!(to.open(&sealed.header, &sealed.data), Err(GssError::Message(_))),
        "replayed"
    );
    let next = from.seal(b"two").unwrap();
    assert!(to.open(&next.header, &next.data).is_err(), "the session is over");

    let (mut from, mut to) = session();
    let _lost = from.seal(b"one").unwrap();
    let second = from.seal(b"two").unwrap();
    assert!(to.open(&second.header, &second.data).is_err(), "one is missing");

    let (mut from, mut to) = session();
    let mut sealed = to.seal(b"from the server").unwrap();
    sealed.data[3] ^= 1;
    assert!(from.open(&sealed.header, &sealed.data).is_err(), "altered");
    assert!(from.open(&sealed.header[..8], &sealed.data).is_err(), "cut off");
}

#[test]
fn a_token_for_another_channel_is_refused_and_none_is_where_one_is_demanded() {
    let binding = |name: &str| ChannelBinding::tls_server_end_point(&certificate(name)).unwrap();
    let with = |required| Acceptance {
        binding: Some(binding("a")),
        binding_required: required,
        ..acceptance()
    };
    let tried = |sent: Option<&str>, required| {
        let mut server = acceptor(Scheme::Negotiate, with(required)).unwrap();
        shake(
            &mut *client(Scheme::Negotiate, USER, PASSWORD, sent.map(binding)),
            &mut *server,
        )
        .map(|_| ())
    };
    assert_eq!(tried(Some("a"), true), Ok(()));
    assert_eq!(tried(Some("b"), false), Err(GssError::Binding));
    assert_eq!(tried(None, false), Ok(()));
    assert_eq!(tried(None, true), Err(GssError::Binding));
}

/// The outer shape of a certificate signed with SHA-256: enough for a binding.
fn certificate(name: &str) -> Vec<u8> {
    let oid = [0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
    let mut body = vec![0x30, 3, 0x04, 1, name.as_bytes()[0]];
    body.extend([0x30, u8::try_from(oid.len()).unwrap()]);
    body.extend(oid);
    body.extend([0x03, 2, 0, 0]);
    let mut whole = vec![0x30, u8::try_from(body.len()).unwrap()];
    whole.extend(body);
    whole
}

#[test]
fn hostile_tokens_are_refused_without_panic() {
    let long = vec![0x60; 300 * 1024];
    let ntlm = |kind: u8| [b"NTLMSSP\0".as_slice(), &[kind, 0, 0, 0], &[0xff; 80]].concat();
    let tokens: Vec<Vec<u8>> = vec![
        vec![],
        vec![0],
        long,
        ntlm(1),
        ntlm(2),
        ntlm(3),
        vec![0x60, 0x84, 0xff, 0xff, 0xff, 0xff],
        vec![0xa1, 0x80],
    ];
    for scheme in [Scheme::Ntlm, Scheme::Negotiate] {
        for token in &tokens {
            let mut fresh = server(scheme);
            if fresh.step(Some(token)).is_ok() {
                assert!(!fresh.is_established());
            }
            let mut begun = server(scheme);
            begun
                .step(
                    client(Scheme::Ntlm, USER, PASSWORD, None)
                        .step(None)
                        .unwrap()
                        .token
                        .as_deref(),
                )
                .unwrap();
            assert!(begun.step(Some(token)).is_err());
            let mut asked = client(scheme, USER, PASSWORD, None);
            asked.step(None).unwrap();
            assert!(asked.step(Some(token)).is_err());
        }
    }
}

#[test]
fn a_last_word_that_is_none_ends_the_session() {
    let (mut client, mut server) = (
        client(Scheme::Negotiate, USER, PASSWORD, None),
        server(Scheme::Negotiate),
    );
    shake(&mut *client, &mut *server).unwrap();
    assert!(client.step(Some(b"\xff\xff\0\0")).is_err());
    assert!(!client.is_established() && client.seal(b"x").is_err());
}

#[test]
fn what_cannot_be_done_is_said_before_anything_is_sent() {
    let refused = |scheme, credential| {
        initiator(scheme, credential, &Target::http("ex1"), None, None)
            .err()
            .map(|error| error.to_string())
    };
    let password = || Credential::Password {
        user: UserName::parse("alice@contoso.com").unwrap(),
        password: Password::new("x".to_owned()),
    };
    assert_eq!(
        refused(Scheme::Kerberos, password()).unwrap(),
        "Kerberos with the password of alice@contoso.com is not possible: nothing was given that reaches a key \
         distribution centre"
    );
    assert!(
        refused(Scheme::Ntlm, Credential::LogonSession)
            .unwrap()
            .contains("NTLM proves a password")
    );
    assert!(acceptor(Scheme::Negotiate, Acceptance::default()).is_err());
    assert!(UserName::parse(r"\alice").is_err() && UserName::parse("").is_err());
}

#[test]
fn a_client_without_unicode_is_challenged_in_its_own_words() {
    // As curl begins: names in a code page, NTLM, extended session security.
    let negotiate = |flags: u32| {
        let mut token = b"NTLMSSP\0\x01\0\0\0".to_vec();
        token.extend(flags.to_le_bytes());
        token.extend([0; 16]);
        token
    };
    let challenge = server(Scheme::Ntlm)
        .step(Some(&negotiate(0x0008_8206)))
        .unwrap()
        .token
        .unwrap();
    let flags = u32::from_le_bytes(challenge[20..24].try_into().unwrap());
    assert_eq!(flags & 3, 2, "{flags:#010x}");
    assert_eq!(&challenge[56..65], b"WORKGROUP");
    let error = server(Scheme::Ntlm)
        .step(Some(&negotiate(0x0008_8204)))
        .unwrap_err();
    assert!(error.to_string().contains("code page"), "{error}");
}
