//! `exseal forecast`: what stops working when.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::diagnose::Judging;
use super::{Outcome, print, print_json, write};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::inputs::{self, Sources};
use crate::view::forecast::{calendar, text};

/// Say what stops working when, if nothing is done
///
/// Ends of certificates by the slots that present them, renewals that fall due by the policy, and the day on which the next
/// Auth certificate becomes current.
#[derive(Args, Debug)]
pub(crate) struct ForecastArgs {
    #[command(flatten)]
    sources: Sources,

    #[command(flatten)]
    judging: Judging,

    /// Tell of nothing after this day (2027-12-31, or RFC 3339)
    #[arg(long, value_name = "DATE", value_parser = until)]
    until: Option<Until>,

    /// Print JSON (docs/schema/forecast.json)
    #[arg(long)]
    json: bool,

    /// Print a calendar (iCalendar) of whole days instead
    #[arg(long, conflicts_with = "json")]
    ics: bool,

    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The last thing to tell of: an instant, or a whole day in the person's zone.
#[derive(Clone, Copy, Debug)]
enum Until {
    Instant(Timestamp),
    Day(Date),
}

fn until(text: &str) -> Result<Until, String> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(Until::Instant(instant));
    }
    text.parse::<Date>()
        .map(Until::Day)
        .map_err(|_| "expected a day like 2027-12-31, or a time like 2027-12-31T12:00:00Z".to_owned())
}

impl Until {
    /// The last instant, in `zone`.
    fn instant(self, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Instant(instant) => Some(instant),
            Self::Day(day) => {
                let next = day.tomorrow().ok()?.to_zoned(zone.clone()).ok()?;
                next.timestamp()
                    .checked_sub(jiff::SignedDuration::from_nanos(1))
                    .ok()
            }
        }
    }
}

pub(crate) fn run(context: &Context, args: &ForecastArgs) -> Result<Outcome, CommandError> {
    let policy = inputs::policy(args.judging.policy.as_deref())?;
    let inventory = args.sources.inventory(context)?;
    // What programs read does not depend on where it was made.
    let zone = if args.json {
        TimeZone::UTC
    } else {
        context.zone.clone()
    };
    let until = args.until.and_then(|until| until.instant(&zone));
    let now = inputs::now(args.judging.now);
    let forecast = exseal_engine::forecast(&inventory, &policy, now, until, &zone);
    if let Some(path) = &args.output {
        let content = if args.json {
            super::json_text(&forecast)?
        } else if args.ics {
            calendar(&forecast, context)
        } else {
            anstream::adapter::strip_str(&text(&forecast, context)).to_string()
        };
        write(context, path, content.as_bytes())?;
    } else if args.json {
        print_json(&forecast)?;
    } else if args.ics {
        write(context, Path::new("-"), calendar(&forecast, context).as_bytes())?;
    } else {
        print(context, &text(&forecast, context))?;
    }
    Ok(Outcome::Done)
}
