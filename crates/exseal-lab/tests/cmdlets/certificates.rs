//! The certificate cmdlets beyond the invariants.

use exseal_lab::call::{Answer, Call, Command, End};
use exseal_lab::certificate::{Certificate, Thumbprint};
use exseal_lab::organisation::StoreName;
use exseal_lab::world::{Fault, Reader};
use exseal_psrp::data::Data;
use exseal_psrp::secret::Secret;
use jiff::SignedDuration;

use super::*;

fn raw(outcome: &Outcome) -> Certificate {
    let document = outcome.output().next().expect("an object");
    Certificate::read(&property_bytes(document, "RawData")).expect("a certificate")
}

#[test]
fn new_without_parameters_makes_the_certificate_setup_makes() {
    let mut world = two_servers();

    let made = done(
        &mut world,
        Command::new("New-ExchangeCertificate").with("Force", true),
    );

    let certificate = raw(&made);
    assert_eq!(certificate.subject().to_string(), "CN=EX1");
    assert_eq!(certificate.san(), ["EX1", "EX1.contoso.lab"]);
    let years = certificate.not_after().duration_since(certificate.not_before());
    assert!((1825..=1827).contains(&(years.as_hours() / 24)));
    let row = certificates(
        &mut world,
        "EX1",
        &[
            "FriendlyName",
            "Services",
            "PrivateKeyExportable",
            "RootCAType",
            "Status",
            "PublicKeySize",
        ],
    )
    .remove(0);
    assert_eq!(
        row,
        [
            "Microsoft Exchange",
            "IMAP, POP, SMTP",
            "False",
            "None",
            "Valid",
            "2048"
        ]
    );
    assert_eq!(
        internal_transport(&mut world),
        certificate.thumbprint().to_string()
    );
}

#[test]
fn the_auth_certificates_recipe_gives_no_names_and_keeps_the_internal_transport_certificate_on_no() {
    let mut world = two_servers();
    let old = internal_transport(&mut world);
    let asked = run(
        &mut world,
        Command::new("New-ExchangeCertificate")
            .with("KeySize", 2048)
            .with("PrivateKeyExportable", true)
            .with("SubjectName", "cn=Microsoft Exchange Server Auth Certificate")
            .with("FriendlyName", "Microsoft Exchange Server Auth Certificate")
            .with("DomainName", Data::list([])),
    );

    let made = world.answer(prompt(&asked).id, Answer::Choice(2));

    let certificate = raw(&made);
    assert_eq!(certificate.san(), <[String; 0]>::default());
    assert_eq!(
        certificate.subject().to_string(),
        "CN=Microsoft Exchange Server Auth Certificate"
    );
    assert_eq!(internal_transport(&mut world), old);
}

#[test]
fn a_renewal_keeps_subject_names_and_services_and_so_takes_over_iis() {
    let mut world = with_public();
    let old = named(&mut world, "Microsoft Exchange");
    let get = Command::new("Get-ExchangeCertificate").argument(old.as_str());

    let made = done(
        &mut world,
        Call::pipeline([get, Command::new("New-ExchangeCertificate").with("Force", true)]),
    );

    let new = raw(&made);
    assert_eq!(new.subject().to_string(), "CN=EX1");
    let front = world.server("EX1").expect("the server").http_sys["0.0.0.0:443"].hash;
    assert_eq!(front, Some(new.thumbprint()));
    let row = certificates(&mut world, "EX1", &["Services", "PrivateKeyExportable"]).remove(0);
    assert_eq!(row, ["IMAP, POP, IIS, SMTP", "False"]);
}

#[test]
fn a_request_waits_and_is_completed_by_the_answer_of_the_ca() {
    let mut world = two_servers();
    let request = done(
        &mut world,
        Command::new("New-ExchangeCertificate")
            .with("GenerateRequest", true)
            .with("SubjectName", "CN=mail.contoso.lab, O=Contoso, C=DE")
            .with(
                "DomainName",
                Data::strings(["mail.contoso.lab", "autodiscover.contoso.lab"]),
            )
            .with("PrivateKeyExportable", true),
    );
    let document = request.output().next().expect("the request");
    let text = document.text(&document.values[0]).expect("text").into_owned();
    assert!(text.starts_with("-----BEGIN NEW CERTIFICATE REQUEST-----\r\n"));
    let row = certificates(
        &mut world,
        "EX1",
        &[
            "Status",
            "RootCAType",
            "Services",
            "IsSelfSigned",
            "CertificateRequest",
            "Thumbprint",
        ],
    )
    .remove(0);
    assert_eq!(row[..4], ["PendingRequest", "Unknown", "None", "False"]);
    assert_eq!(row[4], text);
    let refused = run(
        &mut world,
        Command::new("Enable-ExchangeCertificate")
            .argument(row[5].as_str())
            .with("Services", "IIS"),
    );
    assert_eq!(reason(&refused), "InvalidOperationException");

    let answer = world
        .answer_request(
            &text,
            &exseal_lab::organisation::IssuerRef::PublicCa,
            SignedDuration::from_hours(24 * 90),
        )
        .expect("the CA's answer");
    done(
        &mut world,
        Command::new("Import-ExchangeCertificate").with("FileData", answer),
    );

    let row = certificates(
        &mut world,
        "EX1",
        &[
            "Subject",
            "Status",
            "RootCAType",
            "HasPrivateKey",
            "PrivateKeyExportable",
            "Services",
        ],
    )
    .remove(0);
    assert_eq!(
        row,
        [
            "CN=mail.contoso.lab, O=Contoso, C=DE",
            "Valid",
            "ThirdParty",
            "True",
            "True",
            "None"
        ]
    );
    let pending = world.server("EX1").expect("the server").store(StoreName::Request);
    assert!(pending.is_empty());
}

#[test]
fn services_are_not_taken_with_a_request() {
    let mut world = two_servers();

    let outcome = run(
        &mut world,
        Command::new("New-ExchangeCertificate")
            .with("GenerateRequest", true)
            .with("Services", "SMTP"),
    );

    let error = outcome.error().expect("an error");
    assert!(
        error
            .fully_qualified_error_id
            .starts_with("AmbiguousParameterSet,")
    );
}

#[test]
fn a_pfx_goes_from_server_to_server_and_an_unexportable_key_does_not() {
    let mut world = two_servers();
    let exportable = new_certificate(&mut world, "CN=mail.contoso.lab");
    let setup = named(&mut world, "Microsoft Exchange");
    let export = |thumbprint: &str, password: &str| {
        Command::new("Export-ExchangeCertificate")
            .argument(thumbprint)
            .with("BinaryEncoded", true)
            .with("Password", Secret::from(password))
    };
    let import = |file: &[u8], password: &str| {
        Command::new("Import-ExchangeCertificate")
            .with("Server", "EX2")
            .with("FileData", file.to_vec())
            .with("Password", Secret::from(password))
            .with("FriendlyName", "Mail")
    };

    let refused = run(&mut world, export(&setup, "secret"));
    let file = done(&mut world, export(&exportable, "pässword"));
    let file = property_bytes(file.output().next().expect("the file"), "FileData");
    let wrong = run(&mut world, import(&file, "other"));
    done(&mut world, import(&file, "pässword"));
    let twice = run(&mut world, import(&file, "pässword"));
    let garbage = run(&mut world, import(b"no certificate", ""));

    assert!(message(&refused).contains("The private key couldn't be exported as PKCS-12."));
    assert!(
        message(&wrong).ends_with("The source data cannot be imported or the wrong password was specified.")
    );
    assert!(message(&twice).contains(&format!(
        "A certificate with the thumbprint {exportable} already exists."
    )));
    assert!(message(&garbage).contains("cannot be imported"));
    let row = certificates(
        &mut world,
        "EX2",
        &["Thumbprint", "FriendlyName", "Services", "PrivateKeyExportable"],
    )
    .remove(0);
    assert_eq!(row, [exportable.as_str(), "Mail", "None", "False"]);
}

#[test]
fn a_certificate_without_its_key_is_imported_not_listed_and_cannot_be_enabled() {
    let mut world = two_servers();
    let thumbprint = new_certificate(&mut world, "CN=mail.contoso.lab");
    let der = {
        let server = world.server("EX1").expect("the server");
        let own = Thumbprint::parse(&thumbprint).expect("a thumbprint");
        server
            .my(own)
            .expect("the certificate")
            .certificate
            .der()
            .to_vec()
    };
    done(
        &mut world,
        Command::new("Import-ExchangeCertificate")
            .with("Server", "EX2")
            .with("FileData", der),
    );

    let enabled = run(
        &mut world,
        Command::new("Enable-ExchangeCertificate")
            .with("Server", "EX2")
            .with("Thumbprint", thumbprint.as_str())
            .with("Services", "IIS"),
    );

    assert!(
        message(&enabled).contains("(reason: PrivateKeyMissing)"),
        "{enabled:?}"
    );
    assert!(
        certificates(&mut world, "EX2", &["Thumbprint"])
            .iter()
            .all(|row| row[0] != thumbprint)
    );
}

#[test]
fn enabling_smtp_lets_network_service_read_the_key() {
    let mut world = two_servers();
    let request = Command::new("New-ExchangeCertificate")
        .with("SubjectName", "CN=mail.contoso.lab")
        .with("Services", "None");
    let made = done(&mut world, request);
    let thumbprint = raw(&made).thumbprint();
    let reads = |world: &World| {
        world
            .server("EX1")
            .and_then(|server| server.my(thumbprint)?.key.as_ref())
            .is_some_and(|key| key.readers.contains(&Reader::NetworkService))
    };
    assert!(!reads(&world));

    done(
        &mut world,
        Command::new("Enable-ExchangeCertificate")
            .argument(thumbprint.to_string())
            .with("Services", "None")
            .with("NetworkServiceAllowed", true),
    );

    assert!(reads(&world));
}

#[test]
fn a_wildcard_is_not_used_for_pop_and_imap_and_says_so() {
    let mut world = two_servers();
    let wildcard = new_certificate(&mut world, "CN=*.contoso.lab");

    let outcome = done(
        &mut world,
        Command::new("Enable-ExchangeCertificate")
            .argument(wildcard.as_str())
            .with("Services", Data::strings(["POP", "IMAP"])),
    );

    let warnings: Vec<&str> = outcome.warnings().collect();
    assert_eq!(
        warnings[0],
        format!(
            "This certificate with thumbprint {wildcard} and subject '*.contoso.lab' cannot used for POP SSL/TLS \
             connections because the subject is not a Fully Qualified Domain Name (FQDN). Use command \
             Set-POPSettings to set X509CertificateName to the FQDN of the service."
        )
    );
    assert!(warnings[1].contains("for IMAP SSL/TLS"));
    let settings = done(&mut world, Command::new("Get-PopSettings"));
    assert_eq!(all(&settings, "X509CertificateName"), ["EX1.contoso.lab"]);
}

#[test]
fn a_self_signed_certificate_behind_one_of_a_ca_is_warned_of() {
    let mut world = with_public();
    let asked = run(
        &mut world,
        Command::new("New-ExchangeCertificate").with("Services", "SMTP"),
    );

    let outcome = world.answer(prompt(&asked).id, Answer::Choice(0));

    let warnings: Vec<&str> = outcome.warnings().collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("an FQDN of 'EX1.contoso.lab'"));
    assert!(warnings[0].contains("Default Frontend EX1"));
}

#[test]
fn removal_is_confirmed_and_a_send_connectors_certificate_stays() {
    let mut world = world(
        "[[certificate]]\nid = \"public\"\nnames = [\"mail.contoso.lab\"]\nissuer = \"public-ca\"\n\
         friendly_name = \"Mail\"\n[[send_connector]]\nname = \"Internet\"\ntls_certificate_name = \"public\"\n\
         [[server]]\nname = \"EX1\"\n[[server.store]]\ncertificate = \"public\"\nsmtp = true\n",
    );
    let mail = named(&mut world, "Mail");
    let wmsvc = named(&mut world, "WMSVC-SHA2");

    let asked = run(
        &mut world,
        Command::new("Remove-ExchangeCertificate").argument(wmsvc.as_str()),
    );
    let question = prompt(&asked).clone();
    let nobody = world.answer(question.id, Answer::NoHost);
    let refused = run(
        &mut world,
        Command::new("Remove-ExchangeCertificate")
            .argument(mail.as_str())
            .with("Confirm", false),
    );

    assert_eq!(
        question.message,
        format!(
            "Are you sure you want to perform this action?\r\nRemove certificate with thumbprint {wmsvc} from the \
             computer's certificate store?"
        )
    );
    assert!(matches!(nobody.end, End::Failed(_)));
    assert!(message(&nobody).starts_with("A command that prompts the user failed"));
    assert!(message(&refused).contains("tagged with following Send Connectors : Internet."));
    assert_eq!(certificates(&mut world, "EX1", &["Thumbprint"]).len(), 4);
    // -WhatIf asks nothing and does nothing.
    done(
        &mut world,
        Command::new("Remove-ExchangeCertificate")
            .argument(wmsvc.as_str())
            .with("WhatIf", true),
    );
    assert_eq!(certificates(&mut world, "EX1", &["Thumbprint"]).len(), 4);
}

#[test]
fn yes_to_all_answers_for_the_rest_of_the_pipeline_and_no_to_all_too() {
    for (choice, left) in [(1, 2), (3, 4)] {
        let mut world = two_servers();
        let one = new_certificate(&mut world, "CN=one.contoso.lab");
        let two = new_certificate(&mut world, "CN=two.contoso.lab");
        for thumbprint in [&one, &two] {
            assert!(!thumbprint.is_empty());
        }
        let get = Command::new("Get-ExchangeCertificate").with(
            "DomainName",
            Data::strings(["one.contoso.lab", "two.contoso.lab"]),
        );
        let asked = run(
            &mut world,
            Call::pipeline([get, Command::new("Remove-ExchangeCertificate")]),
        );

        let outcome = world.answer(prompt(&asked).id, Answer::Choice(choice));

        assert_eq!(outcome.end, End::Completed);
        let made = certificates(&mut world, "EX1", &["Thumbprint"]).len();
        assert_eq!(made, left + 1, "setup's three and what is left");
    }
}

#[test]
fn what_a_command_did_before_its_reply_was_lost_is_done() {
    let mut world = two_servers();
    world.fault(Fault::parse("loses-reply command=New-ExchangeCertificate").expect("a fault"));
    let before = certificates(&mut world, "EX1", &["Thumbprint"]).len();

    let lost = run(
        &mut world,
        Command::new("New-ExchangeCertificate").with("Force", true),
    );

    assert!(matches!(lost.end, End::Interrupted(_)));
    assert_eq!(certificates(&mut world, "EX1", &["Thumbprint"]).len(), before + 1);
}

#[test]
fn a_second_operator_acts_before_the_command() {
    let mut world = two_servers();
    world.fault(Fault::parse("second-operator command=Get-AuthConfig").expect("a fault"));
    let before = internal_transport(&mut world);

    done(&mut world, Command::new("Get-AuthConfig"));

    assert_ne!(internal_transport(&mut world), before);
}

#[test]
fn a_full_disk_refuses_new_certificates() {
    let mut world = two_servers();
    world.fault(Fault::parse("disk-full server=EX1").expect("a fault"));

    let outcome = run(
        &mut world,
        Command::new("New-ExchangeCertificate").with("Force", true),
    );

    assert!(message(&outcome).contains("not enough space"));
}

#[test]
fn replacing_the_internal_transport_certificate_moves_the_edge_credentials_or_fails() {
    let text = "[[server]]\nname = \"EX1\"\n[[server]]\nname = \"EDGE1\"\nrole = \"edge\"\n\
                [[edge_subscription]]\nedge = \"EDGE1\"\n";
    let mut healthy = world(text);
    let credential = |world: &World| {
        world
            .directory()
            .edge_subscription(0, &exseal_lab::world::ServerName::new("EDGE1"))
            .and_then(|own| own.credentials.values().next().copied())
            .map(|thumbprint| thumbprint.to_string())
    };
    done(
        &mut healthy,
        Command::new("New-ExchangeCertificate").with("Force", true),
    );
    let current = internal_transport(&mut healthy);
    assert_eq!(credential(&healthy), Some(current));

    // The old key is gone: nothing can be encrypted anew.
    let mut broken = world(text);
    let old = internal_transport(&mut broken);
    let thumbprint = Thumbprint::parse(&old).expect("a thumbprint");
    if let Some(store) = broken
        .server_mut(&ex1())
        .and_then(|server| server.stores.get_mut(&StoreName::My))
    {
        store.retain(|stored| stored.certificate.thumbprint() != thumbprint);
    }
    let refused = run(
        &mut broken,
        Command::new("New-ExchangeCertificate").with("Force", true),
    );
    assert_eq!(reason(&refused), "InvalidOperationException");
    assert_eq!(internal_transport(&mut broken), old);
}

#[test]
fn files_are_written_and_read_by_builds_before_2022_and_the_parameters_are_gone_after() {
    let request = |path: &str| {
        Command::new("New-ExchangeCertificate")
            .with("GenerateRequest", true)
            .with("SubjectName", "CN=mail.contoso.lab, C=DE")
            .with("RequestFile", path)
    };
    let import = |path: &str| Command::new("Import-ExchangeCertificate").with("FileName", path);
    let path = "\\\\files\\certificates\\mail.req";
    let mut old = world("[[server]]\nname = \"EX1\"\nversion = \"2019\"\nbuild = \"15.2.986.5\"\n");
    let mut new = two_servers();

    let written = done(&mut old, request(path));
    assert_eq!(written.output().count(), 0);
    let text = String::from_utf8(old.file(path).expect("the file").to_vec()).expect("text");
    let answer = old
        .answer_request(
            &text,
            &exseal_lab::organisation::IssuerRef::InternalCa,
            SignedDuration::from_hours(24),
        )
        .expect("the CA's answer");
    old.put_file("\\\\files\\certificates\\mail.cer", answer);
    done(&mut old, import("\\\\FILES\\certificates\\mail.cer"));
    let row = certificates(&mut old, "EX1", &["Subject", "RootCAType"]).remove(0);
    assert_eq!(row, ["CN=mail.contoso.lab, C=DE", "Enterprise"]);
    assert_eq!(reason(&run(&mut old, import("nowhere"))), "ArgumentException");

    for command in [request(path), import(path)] {
        let refused = run(&mut new, command);
        let error = refused.error().expect("an error");
        assert!(
            error
                .fully_qualified_error_id
                .starts_with("NamedParameterNotFound,")
        );
    }
}

#[test]
fn a_request_that_is_none_or_signed_by_another_key_gets_no_answer() {
    let mut world = two_servers();
    let made = done(
        &mut world,
        Command::new("New-ExchangeCertificate")
            .with("GenerateRequest", true)
            .with("BinaryEncoded", true),
    );
    let mut request = property_bytes(made.output().next().expect("the request"), "FileData");
    if let Some(last) = request.last_mut() {
        *last ^= 1;
    }
    let authority = exseal_lab::organisation::IssuerRef::PublicCa;
    let base64 = base64::engine::general_purpose::STANDARD;

    for text in ["", "no request", &base64::Engine::encode(&base64, &request)] {
        let answer = world.answer_request(text, &authority, SignedDuration::from_hours(1));
        assert!(answer.is_err(), "{text}");
    }
}
