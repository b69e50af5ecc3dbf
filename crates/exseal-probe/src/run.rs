//! Many targets at once, bounded: sockets in all, connections to one host.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use exseal_engine::Policy;
use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::look::Look;
use crate::{Asked, Options, Sighting, Target, handshake, judge};

/// Looks at every target; the sightings come in the order of the targets (two for one where both ways of asking are wanted).
///
/// Where every address of a name is looked at, what differs between them is among the remarks; see [`judge::compare`].
/// Never fails as a whole: what cannot be looked at is a sighting that says so. Takes at most
/// `deadline × (retries + 1)` a target, plus waiting for sockets and for other targets of its host; a sweep of versions
/// adds four deadlines. Needs a tokio runtime with time and IO.
pub async fn probe(targets: Vec<Target>, options: Options, policy: Policy, now: Timestamp) -> Vec<Sighting> {
    let mut found: Vec<(usize, Sighting)> = Vec::new();
    probe_each(targets, options, policy, now, |at, sighting| {
        found.push((at, sighting));
    })
    .await;
    found.sort_by_key(|(at, _)| *at);
    let mut sightings: Vec<Sighting> = found.into_iter().map(|(_, sighting)| sighting).collect();
    judge::compare(&mut sightings);
    sightings
}

type Queue = Arc<Mutex<std::vec::IntoIter<(usize, Target, Option<String>)>>>;

/// As [`probe`], each sighting as it comes, with its place in the order.
pub async fn probe_each(
    targets: Vec<Target>,
    options: Options,
    policy: Policy,
    now: Timestamp,
    mut each: impl FnMut(usize, Sighting),
) {
    let targets = if options.every_address {
        let mut each = Vec::new();
        for target in targets {
            each.extend(crate::connect::at_each_address(target, &options).await);
        }
        each
    } else {
        targets
    };
    let looks = targets.into_iter().flat_map(|target| {
        let name = target.wanted_name().map(str::to_owned);
        let asked = match (options.asked, name) {
            (Asked::Name, name) => vec![name],
            (Asked::Both, Some(name)) => vec![Some(name), None],
            (Asked::Nothing, _) | (Asked::Both, None) => vec![None],
        };
        asked.into_iter().map(move |name| (target.clone(), name))
    });
    // Targets of one host wait for each other and for nobody else.
    let mut hosts: HashMap<String, Vec<(usize, Target, Option<String>)>> = HashMap::new();
    let mut order = Vec::new();
    for (at, (target, asked)) in looks.enumerate() {
        let queue = hosts.entry(target.host.clone()).or_insert_with(|| {
            order.push(target.host.clone());
            Vec::new()
        });
        queue.push((at, target, asked));
    }

    let sockets = Arc::new(Semaphore::new(options.sockets.max(1)));
    let (options, policy) = (Arc::new(options), Arc::new(policy));
    let provider = handshake::provider();
    let (send, mut receive) = mpsc::unbounded_channel();
    let mut workers = JoinSet::new();
    for host in order {
        let queue = hosts.remove(&host).unwrap_or_default();
        let many = options.each.clamp(1, queue.len().max(1));
        let queue: Queue = Arc::new(Mutex::new(queue.into_iter()));
        for _ in 0..many {
            let (queue, sockets, options, policy) = (
                Arc::clone(&queue),
                Arc::clone(&sockets),
                Arc::clone(&options),
                Arc::clone(&policy),
            );
            let (provider, send) = (Arc::clone(&provider), send.clone());
            workers.spawn(async move {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((at, target, asked)) = next else { break };
                    let Ok(permit) = sockets.acquire().await else {
                        break;
                    };
                    // Boxed, so that the many who wait are small.
                    let sighting = Box::pin(look(target, asked, &options, &policy, &provider, now)).await;
                    drop(permit);
                    if send.send((at, sighting)).is_err() {
                        break;
                    }
                }
            });
        }
    }
    drop(send);
    while let Some((at, sighting)) = receive.recv().await {
        each(at, sighting);
    }
    while workers.join_next().await.is_some() {}
}

async fn look(
    target: Target,
    asked: Option<String>,
    options: &Options,
    policy: &Policy,
    provider: &Arc<rustls::crypto::CryptoProvider>,
    now: Timestamp,
) -> Sighting {
    let begun = Instant::now();
    let one = Look {
        target: &target,
        asked: asked.as_deref(),
        options,
        provider,
        now,
    };
    let mut attempts = 1;
    let (outcome, progress) = loop {
        let (outcome, progress) = one.once().await;
        tracing::debug!(%target, attempt = attempts, outcome = outcome.word(), "Look at target");
        if attempts > options.retries || !outcome.may_pass() {
            break (outcome, progress);
        }
        attempts += 1;
    };
    let mut sighting = Sighting {
        asked,
        at: now,
        outcome,
        address: progress.address.map(|address| address.to_string()),
        greeting: progress.greeting,
        offered: progress.offered,
        presented: progress.presented,
        health: progress.health,
        versions: progress.versions,
        remarks: Vec::new(),
        attempts,
        milliseconds: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        target,
    };
    sighting.remarks = judge::remarks(&sighting, policy);
    sighting
}
