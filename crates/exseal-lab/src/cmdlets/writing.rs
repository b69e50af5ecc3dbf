//! What cmdlets that change the directory have in common: the question, the write, the words when nothing changed.

use super::argument::Unfit;
use super::error::{self, Problem};
use super::run::{Run, Stop};
use crate::world::directory::{Key, Object};
use crate::world::name_pair;
use exseal_psrp::message::ErrorCategory;

impl Problem {
    /// `DataValidationException`: values that do not go together.
    pub(crate) fn invalid(english: impl Into<String>, german: impl Into<String>) -> Self {
        Self::of(
            "DataValidationException",
            ErrorCategory::InvalidData,
            english,
            german,
        )
    }

    /// `ADObjectAlreadyExistsException`: an object of that name is there.
    pub(crate) fn exists(name: &str) -> Self {
        Self::of(
            "ADObjectAlreadyExistsException",
            ErrorCategory::InvalidOperation,
            format!("The object \"{name}\" already exists."),
            format!("Das Objekt \"{name}\" ist bereits vorhanden."),
        )
    }
}

impl Run<'_> {
    /// An argument that is none of a type, as PowerShell refuses it while binding.
    pub(crate) fn unfit(&self, parameter: &str, found: &str, wanted: &'static str) -> Stop {
        let unfit = Unfit::Convert {
            found: found.to_owned(),
            wanted,
        };
        Stop::Failed(Box::new(error::unfit(
            self.language(),
            self.cmdlet,
            parameter,
            &unfit,
        )))
    }

    /// A name pair; `None`: not given or `$null`.
    pub(crate) fn name_pair(&self, parameter: &str) -> Result<Option<String>, Stop> {
        match self.text(parameter) {
            None => Ok(None),
            Some(text) if name_pair(text).is_some() => Ok(Some(text.to_owned())),
            Some(text) => Err(self.unfit(parameter, text, "Microsoft.Exchange.Data.SmtpX509Identifier")),
        }
    }

    /// Whether to set an object.
    pub(crate) fn setting(&mut self, identity: &str) -> Result<bool, Stop> {
        let what = self.cmdlet.name;
        self.should_process(
            false,
            &format!("{what}: setting \"{identity}\"."),
            &format!("{what}: \"{identity}\" wird festgelegt."),
        )
    }

    /// Whether to make an object.
    pub(crate) fn creating(&mut self, identity: &str) -> Result<bool, Stop> {
        let what = self.cmdlet.name;
        self.should_process(
            false,
            &format!("{what}: creating \"{identity}\"."),
            &format!("{what}: \"{identity}\" wird erstellt."),
        )
    }

    /// Whether to remove an object; it is asked unless -Confirm:$false says not to.
    pub(crate) fn removing(&mut self, identity: &str) -> Result<bool, Stop> {
        let what = self.cmdlet.name;
        self.should_process(
            true,
            &format!("{what}: removing \"{identity}\"."),
            &format!("{what}: \"{identity}\" wird entfernt."),
        )
    }

    /// Warns that nothing was to be changed.
    pub(crate) fn unchanged(&mut self, identity: &str) -> Result<(), Stop> {
        self.warn(
            &format!("The command completed successfully but no settings of '{identity}' have been modified."),
            &format!(
                "Der Befehl wurde erfolgreich abgeschlossen, es wurden jedoch keine Einstellungen von '{identity}' \
                 geändert."
            ),
        )
    }

    /// Writes an object of the directory in the session's site.
    pub(crate) fn put(&mut self, key: Key, object: Object) {
        let (site, now) = (self.site(), self.world.now);
        self.world.directory.write(site, key, Some(object), now);
    }

    /// Deletes an object of the directory in the session's site.
    pub(crate) fn delete(&mut self, key: Key) {
        let (site, now) = (self.site(), self.world.now);
        self.world.directory.write(site, key, None, now);
    }
}
