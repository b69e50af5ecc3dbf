//! The files of the sample that are no CLIXML: what IIS and http.sys say.

use std::fmt::Write as _;

use super::organisation::Server;

/// applicationHost.config, as far as sites and bindings go. It holds no certificate hashes.
pub(super) fn application_host(server: &Server<'_>) -> String {
    let mut sites = String::new();
    for (site, id, port, plain) in [
        ("Default Web Site", 1, ":443", "*:80:"),
        ("Exchange Back End", 2, ":444", "*:81:"),
    ] {
        let mut bindings =
            format!("                    <binding protocol=\"http\" bindingInformation=\"{plain}\" />\n");
        for (endpoint, _) in server
            .bindings
            .iter()
            .filter(|(endpoint, _)| endpoint.ends_with(port))
        {
            let information = endpoint.replace("0.0.0.0", "*");
            let _ = writeln!(
                bindings,
                "                    <binding protocol=\"https\" bindingInformation=\"{information}:\" sslFlags=\"0\" />"
            );
        }
        let _ = write!(
            sites,
            "            <site name=\"{site}\" id=\"{id}\" serverAutoStart=\"true\">\n                <bindings>\n{bindings}                </bindings>\n            </site>\n"
        );
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<configuration>\n    <system.applicationHost>\n        <applicationPools>\n            <add name=\"MSExchangeOWAAppPool\" autoStart=\"true\" />\n            <add name=\"MSExchangeECPAppPool\" autoStart=\"true\" />\n            <add name=\"MSExchangeServicesAppPool\" autoStart=\"true\" />\n        </applicationPools>\n        <sites>\n{sites}        </sites>\n    </system.applicationHost>\n</configuration>\n"
    )
}

/// The labels of `netsh http show sslcert`, which follow the language of the server.
pub(super) struct Labels {
    title: &'static str,
    endpoint: &'static str,
    hash: &'static str,
    application: &'static str,
    store: &'static str,
    rest: &'static [(&'static str, &'static str)],
}

pub(super) const ENGLISH: Labels = Labels {
    title: "SSL Certificate bindings:",
    endpoint: "IP:port",
    hash: "Certificate Hash",
    application: "Application ID",
    store: "Certificate Store Name",
    rest: &[
        ("Verify Client Certificate Revocation", "Enabled"),
        ("Negotiate Client Certificate", "Disabled"),
        ("Reject Connections", "Disabled"),
    ],
};

pub(super) const GERMAN: Labels = Labels {
    title: "SSL-Zertifikatbindungen:",
    endpoint: "IP:Port",
    hash: "Zertifikathash",
    application: "Anwendungs-ID",
    store: "Zertifikatspeichername",
    rest: &[
        ("Clientzertifikatsperre überprüfen", "Aktiviert"),
        ("Clientzertifikat aushandeln", "Deaktiviert"),
        ("Verbindungen ablehnen", "Deaktiviert"),
    ],
};

/// `netsh http show sslcert`.
pub(super) fn netsh(server: &Server<'_>, labels: &Labels) -> String {
    let mut out = format!("\n{}\n{}\n\n", labels.title, "-".repeat(labels.title.len()));
    for (endpoint, certificate) in &server.bindings {
        let mut line = |label: &str, value: &str| {
            let _ = writeln!(out, "    {label:<40} : {value}");
        };
        line(labels.endpoint, endpoint);
        line(labels.hash, &certificate.thumbprint().to_lowercase());
        line(labels.application, "{4dc3e181-e14b-4a21-b022-59fc669b0914}");
        line(labels.store, "My");
        labels.rest.iter().for_each(|(label, value)| line(label, value));
        out.push('\n');
    }
    out.replace('\n', "\r\n")
}
