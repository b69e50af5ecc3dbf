//! Any bytes as an inventory: what is read is written and read again the same.

#![no_main]

#[path = "../reading.rs"]
mod reading;

use exseal_model::Inventory;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    reading::one(bytes.to_vec());
    if let Ok(inventory) = serde_json::from_slice::<Inventory>(bytes) {
        let written = serde_json::to_vec(&inventory).expect("an inventory is written");
        let again: Inventory = serde_json::from_slice(&written).expect("what was written is read");
        assert_eq!(again, inventory);
    }
});
