//! How the domain controllers answer.

use serde::{Deserialize, Serialize};

/// The directory service of every domain controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DirectoryRecipe {
    /// MaxPageSize: so many objects a page, and a search without pages, at most.
    pub max_page_size: u32,
    /// MaxQueryDuration: so many seconds a search.
    pub max_query_seconds: u32,
    /// LDAPServerIntegrity 2: binds without TLS and without signing are refused (result 8).
    pub require_signing: bool,
    /// So many bytes of answers are put into one sealed buffer, at most. What Windows does is not known; a client has to bear
    /// both, and some do not.
    pub sealed_buffer: u32,
    /// Whether rootDSE alone is shown to who has not logged on (dsHeuristics' default); otherwise everything is.
    pub log_on_needed: bool,
}

impl Default for DirectoryRecipe {
    fn default() -> Self {
        Self {
            max_page_size: 1_000,
            max_query_seconds: 120,
            require_signing: false,
            sealed_buffer: 2 << 20,
            log_on_needed: true,
        }
    }
}
