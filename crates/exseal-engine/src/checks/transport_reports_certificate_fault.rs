//! The event log holds certificate faults of transport or http.sys.

use exseal_model::Severity;
use jiff::SignedDuration;

use super::{Check, Context, Report, day};

pub(super) const CHECK: Check = Check {
    name: "transport-reports-certificate-fault",
    about: "the event log holds certificate faults of transport or http.sys",
    severities: &[Severity::Warning],
    scenarios: &[1, 13, 44, 45, 49, 64],
    pains: &[13, 41],
    run,
};

fn run(context: &Context<'_>, report: &mut Report) {
    for (_, server) in context.servers() {
        for event in &server.events {
            let Some(meaning) = meaning(&event.provider, event.id) else {
                continue;
            };
            // What happened long ago may have been mended since.
            let fresh = event
                .last
                .value()
                .is_some_and(|last| context.now.duration_since(*last) < SignedDuration::from_hours(7 * 24));
            if !fresh {
                continue;
            }
            let last = event.last.value().copied().unwrap_or(context.now);
            report
                .find(Severity::Warning)
                .server(server)
                .with("id", event.id)
                .with("provider", &event.provider)
                .with("meaning", meaning)
                .with("count", event.count.value().copied().unwrap_or(1))
                .with("last", day(last))
                .saw(
                    context.inventory,
                    event.by.first().copied(),
                    format!("{} {}", event.provider, event.id),
                )
                .say();
        }
    }
}

/// What an event says, by its id (facts/exchange.md 5).
fn meaning(provider: &str, id: u32) -> Option<&'static str> {
    let provider = provider.to_ascii_lowercase();
    Some(match (provider.as_str(), id) {
        ("msexchangetransport" | "msexchangefrontendtransport", 12012) => {
            "no internal transport certificate is configured"
        }
        ("msexchangetransport" | "msexchangefrontendtransport", 12013) => {
            "the internal transport certificate is not in the store"
        }
        ("msexchangetransport" | "msexchangefrontendtransport", 12014) => {
            "no certificate fits a connector, STARTTLS is not offered"
        }
        ("msexchangetransport" | "msexchangefrontendtransport", 12015) => {
            "an internal transport certificate has ended"
        }
        ("msexchangetransport" | "msexchangefrontendtransport", 12016) => {
            "the certificate of a connector's name has ended"
        }
        ("msexchangetransport", 12024) => "an ephemeral internal transport certificate is in use",
        ("msexchangetransport", 1036) => "direct trust with an Edge server failed",
        ("msexchange edgesync", 10104) => {
            "the Edge server's certificate is not the one its subscription recorded"
        }
        ("msexchange edgesync", 1035) => {
            "EdgeSync does not take the internal transport certificate, whose key is not CAPI's"
        }
        ("httpevent" | "microsoft-windows-httpevent", 15021) => {
            "http.sys could not use the certificate of a binding"
        }
        _ => return None,
    })
}
