//! Certificates that steps made, put in where a plan speaks of them.

use exseal_model::plan::{Argument, Call, Change, Condition, Proof, Which};

use crate::state::Made;

/// A step speaks of a certificate that no journal line fixes; a whole plan never does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotMade(pub(crate) u32);

fn which(own: &mut Which, made: &Made) -> Result<(), NotMade> {
    if let Which::MadeBy(step) = own {
        *own = Which::Known(made.get(*step).ok_or(NotMade(*step))?);
    }
    Ok(())
}

pub(crate) fn condition(own: &Condition, made: &Made) -> Result<Condition, NotMade> {
    let mut own = own.clone();
    match &mut own {
        Condition::Bound { certificate, .. } | Condition::InternalTransport { certificate, .. } => {
            certificate.as_mut().map_or(Ok(()), |own| which(own, made))?;
        }
        Condition::InStore { certificate, .. }
        | Condition::NotInStore { certificate, .. }
        | Condition::EnabledForSmtp { certificate, .. }
        | Condition::NotConfigured { certificate, .. }
        | Condition::BackedUp { certificate, .. }
        | Condition::NotReferredTo { certificate } => which(certificate, made)?,
        Condition::ServiceRuns { .. }
        | Condition::ServiceStart { .. }
        | Condition::NoEdgeSubscription
        | Condition::ServerChannelOpens { .. } => {}
    }
    Ok(own)
}

pub(crate) fn proof(own: &Proof, made: &Made) -> Result<Proof, NotMade> {
    let mut own = own.clone();
    if let Proof::Presents { certificate, .. } = &mut own {
        which(certificate, made)?;
    }
    Ok(own)
}

pub(crate) fn call(own: &Call, made: &Made) -> Result<Call, NotMade> {
    let mut own = own.clone();
    for argument in own.arguments.values_mut() {
        if let Argument::Certificate(certificate) = argument {
            which(certificate, made)?;
        }
    }
    Ok(own)
}

pub(crate) fn change(own: &Change, made: &Made) -> Result<Change, NotMade> {
    let mut own = own.clone();
    match &mut own {
        Change::BindCertificate {
            certificate,
            instead_of,
            ..
        } => {
            which(certificate, made)?;
            instead_of.as_mut().map_or(Ok(()), |own| which(own, made))?;
        }
        Change::EnableSmtp { certificate, .. }
        | Change::CopyCertificate { certificate, .. }
        | Change::RemoveCertificate { certificate, .. }
        | Change::BackUpCertificate { certificate, .. }
        | Change::RestoreCertificate { certificate, .. }
        | Change::DiscardCertificate { certificate, .. } => which(certificate, made)?,
        Change::CreateCertificate { .. }
        | Change::SetServiceStart { .. }
        | Change::StartService { .. }
        | Change::StopService { .. }
        | Change::RestartService { .. } => {}
    }
    Ok(own)
}
