//! The words a family describes its cmdlets with.

use super::run::{Run, Stop};

/// A cmdlet: what it is called, what it takes, who may call it, what it does.
pub(crate) struct Cmdlet {
    /// `Verb-Noun`, as Exchange writes it.
    pub(crate) name: &'static str,
    /// Its .NET class, which stands behind the comma of a FullyQualifiedErrorId.
    pub(crate) class: &'static str,
    /// Its own parameters; the common ones are everywhere.
    pub(crate) parameters: &'static [Parameter],
    /// The parameter set when the given parameters leave several; empty: the cmdlet has one set.
    pub(crate) default_set: &'static str,
    /// Which roles have it.
    pub(crate) access: Access,
    /// Does the work for one object of the pipeline, or once when nothing is piped in.
    pub(crate) process: fn(&mut Run<'_>) -> Result<(), Stop>,
}

/// Which role groups have a cmdlet. Behind the local door everybody has all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Whoever may look.
    View,
    /// Organization Management and Server Management.
    Servers,
    /// Organization Management.
    Organisation,
}

/// A parameter.
#[derive(Clone, Copy)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The parameter sets it is in; empty: all.
    pub(crate) sets: &'static [&'static str],
    /// Its place among the arguments without a name.
    pub(crate) position: Option<usize>,
    pub(crate) mandatory: bool,
    /// Whether it takes an object of the pipeline: the property of its name, else the object's identity.
    pub(crate) piped: bool,
    /// Only builds before the first half of 2022 have it.
    pub(crate) old: bool,
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text, identities among it; `$null` is taken and is nothing.
    Text,
    /// One or several texts; `$null` and `@()` are taken and are none.
    Texts,
    /// `-Force`, `-Force:$false`.
    Switch,
    /// `$true` or `$false`; `$null` is an error.
    Bool,
    /// A whole number.
    Number,
    /// Bytes.
    Bytes,
    /// A certificate as an object; what is bound is its thumbprint.
    Certificate,
    /// A SecureString.
    Secret,
    /// A point in time; without a zone it is the server's own.
    Time,
    /// One of these words, by name or by the number of its place.
    OneOf(&'static str, &'static [&'static str]),
    /// Several of these words, separated by commas or as a list.
    Flags(&'static str, &'static [&'static str]),
}

const fn of(name: &'static str, kind: Kind) -> Parameter {
    Parameter {
        name,
        kind,
        sets: &[],
        position: None,
        mandatory: false,
        piped: false,
        old: false,
    }
}

pub(crate) const fn text(name: &'static str) -> Parameter {
    of(name, Kind::Text)
}

pub(crate) const fn texts(name: &'static str) -> Parameter {
    of(name, Kind::Texts)
}

pub(crate) const fn switch(name: &'static str) -> Parameter {
    of(name, Kind::Switch)
}

pub(crate) const fn boolean(name: &'static str) -> Parameter {
    of(name, Kind::Bool)
}

pub(crate) const fn number(name: &'static str) -> Parameter {
    of(name, Kind::Number)
}

pub(crate) const fn bytes(name: &'static str) -> Parameter {
    of(name, Kind::Bytes)
}

pub(crate) const fn certificate(name: &'static str) -> Parameter {
    of(name, Kind::Certificate)
}

pub(crate) const fn secret(name: &'static str) -> Parameter {
    of(name, Kind::Secret)
}

pub(crate) const fn time(name: &'static str) -> Parameter {
    of(name, Kind::Time)
}

pub(crate) const fn one_of(
    name: &'static str,
    of_type: &'static str,
    words: &'static [&'static str],
) -> Parameter {
    of(name, Kind::OneOf(of_type, words))
}

pub(crate) const fn flags(
    name: &'static str,
    of_type: &'static str,
    words: &'static [&'static str],
) -> Parameter {
    of(name, Kind::Flags(of_type, words))
}

impl Parameter {
    /// In these parameter sets only.
    pub(crate) const fn only(self, sets: &'static [&'static str]) -> Self {
        Self { sets, ..self }
    }

    /// May stand without its name, at a place counted from 0.
    pub(crate) const fn at(self, place: usize) -> Self {
        Self {
            position: Some(place),
            ..self
        }
    }

    /// Has to be given.
    pub(crate) const fn needed(self) -> Self {
        Self {
            mandatory: true,
            ..self
        }
    }

    /// Went away with the cumulative updates of the first half of 2022.
    pub(crate) const fn before_2022(self) -> Self {
        Self { old: true, ..self }
    }

    /// Takes what comes down the pipeline.
    pub(crate) const fn piped(self) -> Self {
        Self { piped: true, ..self }
    }
}

/// Parameters of every cmdlet, with their aliases.
pub(crate) const COMMON: &[(Parameter, &str)] = &[
    (text("ErrorAction"), "ea"),
    (text("WarningAction"), "wa"),
    (text("InformationAction"), "infa"),
    (switch("Verbose"), "vb"),
    (switch("Debug"), "db"),
    (text("ErrorVariable"), "ev"),
    (text("WarningVariable"), "wv"),
    (text("InformationVariable"), "iv"),
    (text("OutVariable"), "ov"),
    (number("OutBuffer"), "ob"),
    (text("PipelineVariable"), "pv"),
    (text("DomainController"), ""),
];

/// Parameters of every cmdlet that changes something, with their aliases.
pub(crate) const CONFIRMING: &[(Parameter, &str)] = &[(switch("WhatIf"), "wi"), (switch("Confirm"), "cf")];

impl Cmdlet {
    /// Whether it changes something, and so knows -WhatIf and -Confirm.
    pub(crate) fn changes(&self) -> bool {
        self.access != Access::View
    }

    /// Every parameter with its alias.
    pub(crate) fn all_parameters(&self) -> impl Iterator<Item = (Parameter, &'static str)> {
        let confirming: &[(Parameter, &'static str)] = if self.changes() { CONFIRMING } else { &[] };
        self.parameters
            .iter()
            .map(|own| (*own, ""))
            .chain(COMMON.iter().copied())
            .chain(confirming.iter().copied())
    }
}
