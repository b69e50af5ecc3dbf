//! A cmdlet as a person types it.

use exseal_psrp::data::Data;
use exseal_psrp::message::Command;
use exseal_psrp::secret::Secret as Sealed;

use crate::Secret;
use crate::files::answers;

/// A cmdlet and its parameters, read from the words behind `--`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    name: String,
    arguments: Vec<(Option<String>, Argument)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Argument {
    Switch(bool),
    Null,
    One(String),
    Several(Vec<String>),
    /// A password to be asked for.
    Password,
    /// A user whose password is to be asked for.
    Credential(String),
}

/// Why words are no cmdlet. Nothing of a secret is repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TypedError {
    /// The first word is none.
    #[error("expected a cmdlet, as Get-ExchangeCertificate, found {found:?}")]
    NoCmdlet {
        /// The word.
        found: String,
    },
    /// A pipeline, a separator.
    #[error("expected one cmdlet and its parameters, found {found:?}: nothing here is parsed as script")]
    NotOne {
        /// The word.
        found: String,
    },
    /// `$name` other than `$true`, `$false` and `$null`.
    #[error(
        "expected a value, found the variable {found:?}: of variables only $true, $false and $null are known"
    )]
    Variable {
        /// The word.
        found: String,
    },
    /// The same parameter again.
    #[error("expected -{name} once, found it again")]
    Twice {
        /// Which.
        name: String,
    },
    /// A value for a parameter that takes a secret.
    #[error("-{name} takes a secret, which is asked for: expected no value behind it")]
    SecretTyped {
        /// Which.
        name: String,
    },
    /// A credential without a user.
    #[error("expected the user's name behind -{name}, whose password is asked for")]
    NoUser {
        /// Which.
        name: String,
    },
}

/// Cmdlets that act on one server without being questions of a live look.
const OF_A_SERVER: [&str; 5] = [
    "New-ExchangeCertificate",
    "Import-ExchangeCertificate",
    "Export-ExchangeCertificate",
    "Enable-ExchangeCertificate",
    "Remove-ExchangeCertificate",
];

impl Typed {
    /// Reads words. `-Name value` and `-Name:value`; several words behind a name make a list; a name alone is a switch;
    /// words before the first name are arguments by position. Values stay text: the server makes of them what the
    /// parameter wants.
    ///
    /// # Errors
    ///
    /// [`TypedError`].
    pub fn parse<S: AsRef<str>>(words: &[S]) -> Result<Self, TypedError> {
        let mut words = words.iter().map(AsRef::as_ref).peekable();
        let name = words.next().unwrap_or_default();
        if !is_cmdlet(name) {
            return Err(TypedError::NoCmdlet {
                found: name.to_owned(),
            });
        }
        let mut typed = Self {
            name: name.to_owned(),
            arguments: Vec::new(),
        };
        while let Some(word) = words.next() {
            if matches!(word, "|" | ";" | "&" | "&&" | "||") {
                return Err(TypedError::NotOne {
                    found: word.to_owned(),
                });
            }
            let Some((parameter, inline)) = parameter(word) else {
                let value = value(word)?;
                typed.arguments.push((None, value));
                continue;
            };
            let mut values: Vec<&str> = inline.into_iter().collect();
            while let Some(next) = words.peek().filter(|next| self::parameter(next).is_none()) {
                values.push(next);
                words.next();
            }
            typed.add(parameter, &values)?;
        }
        Ok(typed)
    }

    fn add(&mut self, name: &str, values: &[&str]) -> Result<(), TypedError> {
        let same = |own: &Option<String>| own.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name));
        if self.arguments.iter().any(|(own, _)| same(own)) {
            return Err(TypedError::Twice {
                name: name.to_owned(),
            });
        }
        let argument = match (secret_kind(name), values) {
            (Some(Wanted::Password), []) => Argument::Password,
            (Some(Wanted::Password), _) => {
                return Err(TypedError::SecretTyped {
                    name: name.to_owned(),
                });
            }
            (Some(Wanted::Credential), [user]) => Argument::Credential((*user).to_owned()),
            (Some(Wanted::Credential), _) => {
                return Err(TypedError::NoUser {
                    name: name.to_owned(),
                });
            }
            (None, []) => Argument::Switch(true),
            (None, [one]) => value(one)?,
            (None, several) => {
                if let Some(found) = several.iter().find(|word| matches!(**word, "|" | ";" | "&")) {
                    return Err(TypedError::NotOne {
                        found: (*found).to_owned(),
                    });
                }
                Argument::Several(several.iter().map(|word| (*word).to_owned()).collect())
            }
        };
        self.arguments.push((Some(name.to_owned()), argument));
        Ok(())
    }

    /// The cmdlet's name as it was typed.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it only looks: its verb is Get or Test.
    #[must_use]
    pub fn is_looking(&self) -> bool {
        let own = self.name.rsplit('\\').next().unwrap_or_default();
        own.split('-')
            .next()
            .is_some_and(|verb| verb.eq_ignore_ascii_case("get") || verb.eq_ignore_ascii_case("test"))
    }

    /// Adds `-Server`, where the cmdlet acts on one server and no words say which (facts/powershell-remoting.md 3.1).
    /// True: what it writes is about that server.
    pub fn of_server(&mut self, server: &str) -> bool {
        let own = self.name.rsplit('\\').next().unwrap_or_default();
        if !OF_A_SERVER.iter().any(|known| known.eq_ignore_ascii_case(own)) && !answers::takes_server(own) {
            return false;
        }
        let says = |name: &Option<String>| {
            name.as_deref().is_none_or(|name| {
                name.eq_ignore_ascii_case("Server") || name.eq_ignore_ascii_case("Identity")
            })
        };
        if self.arguments.iter().any(|(name, _)| says(name)) {
            return false;
        }
        let server = Argument::One(server.to_owned());
        self.arguments.push((Some("Server".to_owned()), server));
        true
    }

    /// What has to be asked for, in order: `-Password`, or whose password.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        self.arguments
            .iter()
            .filter_map(|(name, argument)| match argument {
                Argument::Password => Some(format!("-{}", name.as_deref().unwrap_or_default())),
                Argument::Credential(user) => Some(user.clone()),
                _ => None,
            })
            .collect()
    }

    /// With the secrets that [`Self::secrets`] names, in that order; none: there are fewer of them.
    #[must_use]
    pub fn with(self, secrets: Vec<Secret>) -> Option<Given> {
        let mut secrets = secrets.into_iter().map(|secret| Sealed::from(secret.expose()));
        let mut arguments = Vec::new();
        for (name, argument) in self.arguments {
            let data = match argument {
                Argument::Switch(on) => Data::from(on),
                Argument::Null => Data::Null,
                Argument::One(text) => Data::from(text),
                Argument::Several(texts) => Data::strings(texts),
                Argument::Password => Data::Secret(secrets.next()?),
                Argument::Credential(user) => Data::Credential {
                    user,
                    password: secrets.next()?,
                },
            };
            arguments.push((name, data));
        }
        Some(Given {
            name: self.name,
            arguments,
        })
    }
}

/// A cmdlet with everything it needs. Holds secrets: it has no `Debug`.
#[derive(Clone)]
pub struct Given {
    name: String,
    arguments: Vec<(Option<String>, Data)>,
}

impl Given {
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(self.name.clone());
        for (name, value) in &self.arguments {
            command = match name {
                Some(name) => command.parameter(name.clone(), value.clone()),
                None => command.argument(value.clone()),
            };
        }
        command
    }
}

/// `Verb-Noun`, with a module before it or not.
fn is_cmdlet(word: &str) -> bool {
    let is_name = |name: &str, more: &[char]| {
        !name.is_empty()
            && name
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || more.contains(&letter))
    };
    let (module, own) = word
        .rsplit_once('\\')
        .map_or((None, word), |(module, own)| (Some(module), own));
    let Some((verb, noun)) = own.split_once('-') else {
        return false;
    };
    module.is_none_or(|module| is_name(module, &['.', '_', '-']))
        && verb.chars().all(|letter| letter.is_ascii_alphabetic())
        && is_name(verb, &[])
        && is_name(noun, &['_', '-'])
}

/// `-Name` or `-Name:value`. A number below zero is a value.
fn parameter(word: &str) -> Option<(&str, Option<&str>)> {
    let name = word.strip_prefix('-')?;
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return None;
    }
    let (name, inline) = match name.split_once(':') {
        Some((name, "")) => (name, None),
        Some((name, inline)) => (name, Some(inline)),
        None => (name, None),
    };
    name.chars()
        .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        .then_some((name, inline))
}

fn value(word: &str) -> Result<Argument, TypedError> {
    let Some(variable) = word.strip_prefix('$') else {
        return Ok(Argument::One(word.to_owned()));
    };
    match variable.to_ascii_lowercase().as_str() {
        "true" => Ok(Argument::Switch(true)),
        "false" => Ok(Argument::Switch(false)),
        "null" => Ok(Argument::Null),
        _ => Err(TypedError::Variable {
            found: word.to_owned(),
        }),
    }
}

enum Wanted {
    Password,
    Credential,
}

/// What of a secret a parameter takes. PowerShell takes a name's beginning for the name, so those count, too.
fn secret_kind(name: &str) -> Option<Wanted> {
    let name = name.to_ascii_lowercase();
    let begins = |whole: &str| name.len() >= 4 && whole.starts_with(&name);
    if name.ends_with("password") || name.ends_with("secret") || begins("password") {
        Some(Wanted::Password)
    } else if name.ends_with("credential") || begins("credential") {
        Some(Wanted::Credential)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(words: &[&str]) -> Vec<(Option<String>, Data)> {
        let typed = Typed::parse(words).unwrap();
        let secrets = typed.secrets().iter().map(|_| Secret::new("s3cret")).collect();
        typed.with(secrets).unwrap().arguments
    }

    fn named(name: &str, value: impl Into<Data>) -> (Option<String>, Data) {
        (Some(name.to_owned()), value.into())
    }

    #[test]
    fn names_values_lists_switches_and_positions_are_told_apart() {
        assert_eq!(
            sent(&[
                "Get-X",
                "first",
                "-Name",
                "a b",
                "-On",
                "-Off:$false",
                "-List",
                "x",
                "y",
                "-N",
                "-5",
                "-Z",
                "$null"
            ]),
            vec![
                (None, Data::from("first".to_owned())),
                named("Name", "a b"),
                named("On", true),
                named("Off", false),
                named("List", Data::strings(["x", "y"])),
                named("N", "-5"),
                named("Z", Data::Null),
            ]
        );
    }

    #[test]
    fn a_comma_is_part_of_a_value() {
        assert_eq!(
            sent(&["New-ExchangeCertificate", "-SubjectName", "CN=mail,O=Contoso"]),
            vec![named("SubjectName", "CN=mail,O=Contoso")]
        );
    }

    #[test]
    fn what_is_no_cmdlet_is_refused_with_what_was_found() {
        for wrong in [
            "",
            "dir",
            "Get-X;Remove-Y",
            "{Get-X}",
            "$x",
            "Get-",
            "-X",
            "& Get-X",
            "1-X",
        ] {
            assert_eq!(
                Typed::parse(&[wrong]),
                Err(TypedError::NoCmdlet {
                    found: wrong.to_owned()
                })
            );
        }
        let error = Typed::parse(&["Get-X", "|", "Remove-Y"]).unwrap_err();
        assert!(
            error.to_string().contains("nothing here is parsed as script"),
            "{error}"
        );
        let error = Typed::parse(&["Get-X", "-A", "b", "|", "Remove-Y"]).unwrap_err();
        assert!(matches!(error, TypedError::NotOne { .. }), "{error}");
        assert!(matches!(
            Typed::parse(&["Get-X", "-A", "$env:X"]),
            Err(TypedError::Variable { .. })
        ));
        assert!(matches!(
            Typed::parse(&["Get-X", "-A", "1", "-a", "2"]),
            Err(TypedError::Twice { .. })
        ));
    }

    #[test]
    fn looking_is_told_from_changing_by_the_verb() {
        let looks = |name: &str| Typed::parse(&[name]).unwrap().is_looking();
        assert!(looks("get-ExchangeCertificate"));
        assert!(looks(r"Microsoft.PowerShell.Core\Get-Command"));
        assert!(looks("TEST-ServiceHealth"));
        assert!(!looks("Remove-ExchangeCertificate"));
        assert!(!looks(r"Get\Set-X"));
        assert!(!looks("GetSet-X"));
    }

    #[test]
    fn a_secret_is_asked_for_and_never_typed() {
        for name in [
            "-Password",
            "-password",
            "-pass",
            "-SecurePassword",
            "-ApplicationSecret",
        ] {
            let error = Typed::parse(&["Import-ExchangeCertificate", name, "hunter2"]).unwrap_err();
            assert!(matches!(error, TypedError::SecretTyped { .. }), "{name}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
        let typed = Typed::parse(&["New-X", "-Password", "-Credential", r"LAB\admin"]).unwrap();
        assert_eq!(typed.secrets(), ["-Password", r"LAB\admin"]);
        assert!(typed.clone().with(vec![Secret::new("one")]).is_none());
        assert!(typed.with(vec![Secret::new("one"), Secret::new("two")]).is_some());
        assert!(matches!(
            Typed::parse(&["New-X", "-Credential"]),
            Err(TypedError::NoUser { .. })
        ));
        // A password's beginning is one; the beginning of a path is none.
        assert!(Typed::parse(&["New-X", "-Path", "c:\\x"]).is_ok());
    }

    #[test]
    fn a_server_is_said_where_the_cmdlet_acts_on_one_and_nobody_said_which() {
        let with = |words: &[&str]| {
            let mut typed = Typed::parse(words).unwrap();
            typed.of_server("ex1.example.org")
        };
        assert!(with(&["Get-ExchangeCertificate"]));
        assert!(with(&["enable-exchangecertificate", "-Thumbprint", "AB"]));
        assert!(!with(&["Get-ExchangeCertificate", "-server", "EX2"]));
        assert!(!with(&["Get-ExchangeCertificate", r"EX2\AB"]));
        assert!(!with(&["Get-AcceptedDomain"]));
    }
}
