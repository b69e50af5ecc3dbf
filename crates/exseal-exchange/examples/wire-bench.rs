//! Opens a session with each server of loopback, asks for its certificates and closes; prints what that took as a line
//! of JSON. With a number that is not 0: one session, and that many large answers. `interop/wire_bench.py` starts it.

use std::fs;
use std::time::{Duration, Instant};

use exseal_exchange::session::{Allowed, Endpoint, Item, Kdc, LogOn, Session, SessionError};
use exseal_gss::{Credential, Password, Scheme, UserName};
use exseal_psrp::message::{Command, Pipeline};

type Failed = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "a program of its own")]
async fn main() -> Result<(), Failed> {
    let numbers = std::env::args()
        .skip(1)
        .map(|number| number.parse::<u16>())
        .collect::<Result<Vec<_>, _>>()?;
    let Some((&large, ports)) = numbers.split_first() else {
        return Err("expected a number of large answers, and ports".into());
    };
    let first = *ports.first().ok_or("expected at least one port, found none")?;

    // One, as a look at an organisation has: a realm without a centre is found out once. pypsrp looks for none.
    let kdc = Kdc::default();
    // Once without counting: what a program does once is not what a server costs.
    visit(&kdc, first).await?;
    let (sessions, objects, spent) = if large > 0 {
        let mut session = open(&kdc, first).await?;
        count(&mut session, "Get-ReceiveConnector").await?;
        let before = Spent::now()?;
        let mut objects = 0;
        for _ in 0..large {
            objects += count(&mut session, "Get-ReceiveConnector").await?;
        }
        let spent = Spent::now()?.since(&before);
        session.close().await?;
        (1, objects, spent)
    } else {
        let before = Spent::now()?;
        let mut objects = 0;
        for port in ports {
            objects += visit(&kdc, *port).await?;
        }
        (ports.len(), objects, Spent::now()?.since(&before))
    };
    println!(
        r#"{{"sessions": {sessions}, "objects": {objects}, "cpu": {}, "wall": {}}}"#,
        spent.cpu.as_secs_f64(),
        spent.wall.as_secs_f64()
    );
    Ok(())
}

/// A whole session with a server; how many certificates it has.
async fn visit(kdc: &Kdc, port: u16) -> Result<usize, Failed> {
    let mut session = open(kdc, port).await?;
    let objects = count(&mut session, "Get-ExchangeCertificate").await?;
    session.close().await?;
    Ok(objects)
}

async fn open(kdc: &Kdc, port: u16) -> Result<Session, Failed> {
    let mut endpoint = Endpoint::exchange(
        "localhost",
        LogOn::With(
            Scheme::Negotiate,
            Credential::Password {
                user: UserName::parse(r"LAB\admin")?,
                password: Password::new("pw".to_owned()),
            },
        ),
    );
    endpoint.address = Some("127.0.0.1".to_owned());
    endpoint.port = port;
    endpoint.kdc = kdc.clone();
    Ok(Session::open(endpoint).await?)
}

async fn count(session: &mut Session, cmdlet: &str) -> Result<usize, SessionError> {
    let mut call = session
        .call(Pipeline::new([Command::new(cmdlet)]), &Allowed::default())
        .await?;
    let mut objects = 0;
    while let Some(item) = call.next().await? {
        objects += usize::from(matches!(item, Item::Output(_)));
    }
    Ok(objects)
}

struct Spent {
    cpu: Duration,
    wall: Duration,
}

impl Spent {
    /// CPU of all threads of this process so far, as Linux counts it to the nanosecond, and an arbitrary clock.
    fn now() -> Result<Self, Failed> {
        static BEGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        let mut nanoseconds = 0;
        for thread in fs::read_dir("/proc/self/task")? {
            let told = fs::read_to_string(thread?.path().join("schedstat"))?;
            let ran = told.split(' ').next().unwrap_or_default();
            nanoseconds += ran.parse::<u64>()?;
        }
        Ok(Self {
            cpu: Duration::from_nanos(nanoseconds),
            wall: BEGIN.get_or_init(Instant::now).elapsed(),
        })
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            wall: self.wall.saturating_sub(before.wall),
        }
    }
}
