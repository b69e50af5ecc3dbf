//! Mailboxes and assignments of roles, as documented: none was recorded.

use super::Preset::{Ad, Bool, Enum, Own, Text};
use super::{MANAGEMENT, Root, SC, Shape};

/// A mailbox.
pub(crate) const MAILBOX: Shape = Shape {
    classes: &[
        (MANAGEMENT, "Mailbox"),
        (MANAGEMENT, "MailEnabledOrgPerson"),
        (MANAGEMENT, "MailEnabledRecipient"),
    ],
    root: Root::Presentation,
    properties: &[
        ("Database", Own),
        ("ServerName", Own),
        ("ExchangeGuid", Own),
        ("HiddenFromAddressListsEnabled", Own),
        ("SamAccountName", Own),
        ("UserPrincipalName", Own),
        ("Alias", Own),
        ("DisplayName", Own),
        ("PrimarySmtpAddress", Own),
        (
            "RecipientType",
            Enum(
                "",
                "Microsoft.Exchange.Data.Directory.Recipient.RecipientType",
                "UserMailbox",
                1,
            ),
        ),
        ("RecipientTypeDetails", Own),
        ("WindowsEmailAddress", Own),
        ("Name", Ad),
    ],
};

/// The assignment of a role.
pub(crate) const ROLE_ASSIGNMENT: Shape = Shape {
    classes: &[(MANAGEMENT, "ExchangeRoleAssignmentPresentation")],
    root: Root::Presentation,
    properties: &[
        ("Role", Own),
        ("RoleAssigneeName", Own),
        ("RoleAssignee", Own),
        ("RoleAssigneeType", Enum(SC, "RoleAssigneeType", "RoleGroup", 10)),
        ("AssignmentMethod", Enum(SC, "AssignmentMethod", "Direct", 1)),
        ("RoleAssignmentDelegationType", Own),
        ("EffectiveUserName", Own),
        ("CustomRecipientWriteScope", Text("")),
        ("Enabled", Bool(true)),
        ("Name", Ad),
    ],
};
