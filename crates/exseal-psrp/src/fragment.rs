//! Fragments: the pieces in which PSRP messages cross a transport, [MS-PSRP] 2.2.4.
//!
//! A transport hands over bytes in any cut; [`Defragmenter`] waits for the last byte of each fragment and
//! for the last fragment of each message. What a message means is not known here; see
//! [`crate::message`].

use std::collections::{HashMap, VecDeque};

/// One fragment, borrowed from the buffer it arrived in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// Names the message this is a piece of; unique among the messages of one sender.
    pub object_id: u64,
    /// Position among the pieces of the message, from 0.
    pub fragment_id: u64,
    /// Whether this is the first piece.
    pub start: bool,
    /// Whether this is the last piece.
    pub end: bool,
    /// The piece itself.
    pub blob: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// Bytes before the blob.
    pub const HEADER_LEN: usize = 8 // ObjectId
        + 8 // FragmentId
        + 1 // Reserved, E, S
        + 4; // BlobLength

    /// Splits the first fragment off `input` and returns it with the rest.
    ///
    /// Returns `None` while `input` does not hold a whole fragment: read more and call again with
    /// the same bytes and the new ones behind them. The caller owns the buffer and limits its size;
    /// [`Defragmenter`] does both.
    pub fn split(input: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (object_id, rest) = input.split_first_chunk()?;
        let (fragment_id, rest) = rest.split_first_chunk()?;
        let (&[flags], rest) = rest.split_first_chunk()?;
        let (blob_len, rest) = rest.split_first_chunk()?;
        let (blob, rest) = rest.split_at_checked(u32::from_be_bytes(*blob_len) as usize)?;

        let fragment = Self {
            object_id: u64::from_be_bytes(*object_id),
            fragment_id: u64::from_be_bytes(*fragment_id),
            start: flags & 1 != 0,
            end: flags & 2 != 0,
            blob,
        };
        Some((fragment, rest))
    }

    /// Appends the fragment to `wire`.
    ///
    /// A blob beyond 4 GiB cannot be said in the header; [`Fragmenter`] never makes one.
    pub fn write_to(&self, wire: &mut Vec<u8>) {
        wire.extend_from_slice(&self.object_id.to_be_bytes());
        wire.extend_from_slice(&self.fragment_id.to_be_bytes());
        wire.push(u8::from(self.start) | u8::from(self.end) << 1);
        wire.extend_from_slice(&u32::try_from(self.blob.len()).unwrap_or(u32::MAX).to_be_bytes());
        wire.extend_from_slice(self.blob);
    }
}

/// Cuts messages into fragments and numbers them.
///
/// One for each sender: object ids must not repeat within a runspace pool.
#[derive(Clone, Debug)]
pub struct Fragmenter {
    next_object_id: u64,
    max_fragment: usize,
}

impl Fragmenter {
    /// The fragment size of PowerShell's own transports, header included (observed on 7.6.5).
    pub const DEFAULT_MAX_FRAGMENT: usize = 32 * 1024;

    /// Makes a fragmenter whose fragments, header included, hold at most `max_fragment` bytes.
    ///
    /// A size that leaves no room for a blob is raised to the smallest that does.
    pub fn new(max_fragment: usize) -> Self {
        Self {
            next_object_id: 1,
            max_fragment: max_fragment.max(Fragment::HEADER_LEN + 1),
        }
    }

    /// Cuts `message` and returns its fragments on the wire, in order; never empty.
    pub fn fragment(&mut self, message: &[u8]) -> Vec<Vec<u8>> {
        let object_id = self.next_object_id;
        self.next_object_id = self.next_object_id.wrapping_add(1);

        let room = (self.max_fragment - Fragment::HEADER_LEN).min(u32::MAX as usize);
        let count = message.len().div_ceil(room).max(1);
        (0..count)
            .map(|index| {
                let from = index * room;
                let blob = &message[from..message.len().min(from + room)];
                let mut wire = Vec::with_capacity(Fragment::HEADER_LEN + blob.len());
                Fragment {
                    object_id,
                    fragment_id: index as u64,
                    start: index == 0,
                    end: index + 1 == count,
                    blob,
                }
                .write_to(&mut wire);
                wire
            })
            .collect()
    }
}

impl Default for Fragmenter {
    fn default() -> Self {
        Self::new(Self::DEFAULT_MAX_FRAGMENT)
    }
}

/// What a [`Defragmenter`] holds at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentLimits {
    /// Bytes of one message, all its fragments together.
    pub max_message: usize,
    /// Messages begun and not ended.
    pub max_open: usize,
}

impl Default for FragmentLimits {
    /// 64 MiB a message (the largest recorded one has 2.5 MB), 16 open ones.
    fn default() -> Self {
        Self {
            max_message: 64 << 20,
            max_open: 16,
        }
    }
}

/// Why the fragments of a stream cannot be put together. Nothing that follows on the stream can be
/// trusted after one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FragmentError {
    /// The first fragment of a message came when the message was already begun or already whole.
    #[error("message {object_id} begins a second time")]
    Repeated {
        /// The message.
        object_id: u64,
    },
    /// A fragment of a message that was never begun.
    #[error("expected the first fragment of message {object_id}, found fragment {found}")]
    NotBegun {
        /// The message.
        object_id: u64,
        /// The number of the fragment that came.
        found: u64,
    },
    /// A fragment was lost, doubled, or overtook another.
    #[error("expected fragment {expected} of message {object_id}, found fragment {found}")]
    OutOfOrder {
        /// The message.
        object_id: u64,
        /// The number that had to come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// A first fragment that is not number 0, or a fragment 0 that is not the first.
    #[error("fragment {found} of message {object_id} has a start flag that does not fit its number")]
    StartFlag {
        /// The message.
        object_id: u64,
        /// The number of the fragment that came.
        found: u64,
    },
    /// A message began behind one with a higher number: on the way, one overtook the other.
    #[error("expected a message after {last}, found message {object_id}")]
    Overtaken {
        /// The message.
        object_id: u64,
        /// The message that began before it.
        last: u64,
    },
    /// A message is larger than the limit. Found from the header, before its bytes are awaited.
    #[error("expected message {object_id} to hold at most {limit} bytes, found {found}")]
    TooLarge {
        /// The message.
        object_id: u64,
        /// [`FragmentLimits::max_message`].
        limit: usize,
        /// Bytes held and announced.
        found: usize,
    },
    /// More messages are open than the limit allows.
    #[error("expected at most {limit} messages to be open at once, found message {object_id} as one more")]
    TooManyOpen {
        /// The message that was one too many.
        object_id: u64,
        /// [`FragmentLimits::max_open`].
        limit: usize,
    },
    /// The stream ended in the middle of a message or of a fragment.
    #[error("the stream ended with {open} messages begun and {buffered} bytes of an unfinished fragment")]
    Truncated {
        /// Messages begun and not ended.
        open: usize,
        /// Bytes of a fragment whose rest never came.
        buffered: usize,
    },
}

#[derive(Clone)]
struct Open {
    next_fragment: u64,
    bytes: Vec<u8>,
}

/// Puts the fragments of one stream together again.
///
/// One for each stream of bytes (the runspace pool's and each pipeline's), because a fragment may be
/// cut by the transport and its rest comes on the same stream. It keeps at most
/// `max_message` bytes for each of `max_open` messages and one unfinished fragment.
#[derive(Clone, Default)]
pub struct Defragmenter {
    limits: FragmentLimits,
    buffer: Vec<u8>,
    open: HashMap<u64, Open>,
    /// The messages that were completed last: enough to notice one that comes twice.
    recent: VecDeque<u64>,
    whole: VecDeque<Vec<u8>>,
    is_ordered: bool,
    last_begun: Option<u64>,
}

impl Defragmenter {
    /// Completed messages remembered in order to notice a repetition.
    const RECENT: usize = 64;

    /// Makes an empty one that keeps to `limits`.
    pub fn new(limits: FragmentLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Makes one for a stream whose messages have rising numbers, as all that servers write have: a server numbers its
    /// messages in the order of writing ([MS-PSRP] 2.2.4, and each recording of PowerShell).
    pub fn ordered(limits: FragmentLimits) -> Self {
        Self {
            is_ordered: true,
            ..Self::new(limits)
        }
    }

    /// Takes bytes as the transport cut them; whole messages are then had from [`Self::next_message`].
    ///
    /// # Errors
    ///
    /// A [`FragmentError`] at the first fragment that does not fit. Messages completed before it can
    /// still be taken; the bytes behind it are dropped.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), FragmentError> {
        if self.buffer.is_empty() {
            let consumed = self.accept_all(bytes)?;
            self.buffer.extend_from_slice(&bytes[consumed..]);
            return Ok(());
        }

        let mut held = std::mem::take(&mut self.buffer);
        held.extend_from_slice(bytes);
        let consumed = self.accept_all(&held)?;
        held.drain(..consumed);
        self.buffer = held;
        Ok(())
    }

    /// Takes the next whole message: header and body, without fragments.
    pub fn next_message(&mut self) -> Option<Vec<u8>> {
        self.whole.pop_front()
    }

    /// Says that no more bytes will come.
    ///
    /// # Errors
    ///
    /// [`FragmentError::Truncated`] if something was begun and not ended.
    pub fn finish(&self) -> Result<(), FragmentError> {
        if self.open.is_empty() && self.buffer.is_empty() {
            return Ok(());
        }
        Err(FragmentError::Truncated {
            open: self.open.len(),
            buffered: self.buffer.len(),
        })
    }

    /// Accepts every whole fragment of `bytes` and returns how many bytes they took.
    fn accept_all(&mut self, bytes: &[u8]) -> Result<usize, FragmentError> {
        let mut rest = bytes;
        while let Some((fragment, behind)) = Fragment::split(rest) {
            self.accept(fragment)?;
            rest = behind;
        }
        self.check_header(rest)?;
        Ok(bytes.len() - rest.len())
    }

    fn accept(&mut self, fragment: Fragment<'_>) -> Result<(), FragmentError> {
        let Fragment {
            object_id,
            fragment_id,
            start,
            end,
            blob,
        } = fragment;

        if start != (fragment_id == 0) {
            return Err(match self.open.get(&object_id) {
                Some(open) if fragment_id == 0 => FragmentError::OutOfOrder {
                    object_id,
                    expected: open.next_fragment,
                    found: 0,
                },
                _ => FragmentError::StartFlag {
                    object_id,
                    found: fragment_id,
                },
            });
        }
        if start {
            if self.open.contains_key(&object_id) || self.recent.contains(&object_id) {
                return Err(FragmentError::Repeated { object_id });
            }
            if !end && self.open.len() >= self.limits.max_open {
                return Err(FragmentError::TooManyOpen {
                    object_id,
                    limit: self.limits.max_open,
                });
            }
            if let Some(last) = self
                .last_begun
                .filter(|last| self.is_ordered && *last > object_id)
            {
                return Err(FragmentError::Overtaken { object_id, last });
            }
            self.check_size(object_id, blob.len())?;
            self.last_begun = Some(object_id);
            if end {
                self.complete(object_id, blob.to_vec());
            } else {
                self.open.insert(
                    object_id,
                    Open {
                        next_fragment: 1,
                        bytes: blob.to_vec(),
                    },
                );
            }
            return Ok(());
        }

        self.check_size(object_id, blob.len())?;
        let Some(open) = self.open.get_mut(&object_id) else {
            return Err(FragmentError::NotBegun {
                object_id,
                found: fragment_id,
            });
        };
        if open.next_fragment != fragment_id {
            return Err(FragmentError::OutOfOrder {
                object_id,
                expected: open.next_fragment,
                found: fragment_id,
            });
        }
        open.next_fragment += 1;
        open.bytes.extend_from_slice(blob);
        if end && let Some(open) = self.open.remove(&object_id) {
            self.complete(object_id, open.bytes);
        }
        Ok(())
    }

    /// Refuses an oversized fragment by its header, so that its bytes are never awaited.
    fn check_header(&self, rest: &[u8]) -> Result<(), FragmentError> {
        let Some((header, _)) = rest.split_at_checked(Fragment::HEADER_LEN) else {
            return Ok(());
        };
        let (Some(object_id), Some(blob_len)) = (header.first_chunk(), header.last_chunk()) else {
            return Ok(());
        };
        self.check_size(
            u64::from_be_bytes(*object_id),
            u32::from_be_bytes(*blob_len) as usize,
        )
    }

    fn check_size(&self, object_id: u64, more: usize) -> Result<(), FragmentError> {
        let held = self.open.get(&object_id).map_or(0, |open| open.bytes.len());
        let found = held.saturating_add(more);
        if found > self.limits.max_message {
            return Err(FragmentError::TooLarge {
                object_id,
                limit: self.limits.max_message,
                found,
            });
        }
        Ok(())
    }

    fn complete(&mut self, object_id: u64, bytes: Vec<u8>) {
        if self.recent.len() == Self::RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(object_id);
        self.whole.push_back(bytes);
    }
}

impl std::fmt::Debug for Defragmenter {
    /// Shows counts only: messages may hold what must not be logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Defragmenter")
            .field("limits", &self.limits)
            .field("buffered", &self.buffer.len())
            .field("open", &self.open.len())
            .field("whole", &self.whole.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wire(fragment: Fragment<'_>) -> Vec<u8> {
        let mut wire = Vec::new();
        fragment.write_to(&mut wire);
        wire
    }

    fn piece(object_id: u64, fragment_id: u64, end: bool, blob: &[u8]) -> Vec<u8> {
        wire(Fragment {
            object_id,
            fragment_id,
            start: fragment_id == 0,
            end,
            blob,
        })
    }

    #[test]
    fn a_message_that_was_overtaken_is_refused_where_numbers_rise() {
        let [first, second] = [1, 2].map(|id| piece(id, 0, true, b"blob"));
        let swapped = [second.clone(), first.clone()].concat();
        let mut free = Defragmenter::new(FragmentLimits::default());
        free.receive(&swapped).expect("any order");
        let mut ordered = Defragmenter::ordered(FragmentLimits::default());
        assert_eq!(
            ordered.receive(&swapped),
            Err(FragmentError::Overtaken {
                object_id: 1,
                last: 2
            })
        );
        let mut ordered = Defragmenter::ordered(FragmentLimits::default());
        ordered.receive(&[first, second].concat()).expect("rising");
    }

    #[test]
    fn fragment_waits_for_its_last_byte() {
        let wire = piece(33, 0, true, b"blob");
        for cut in 0..wire.len() {
            assert_eq!(Fragment::split(&wire[..cut]), None, "cut at {cut}");
        }
        let (fragment, rest) = Fragment::split(&wire).unwrap();
        assert_eq!(
            (fragment.object_id, fragment.blob, rest),
            (33, &b"blob"[..], &b""[..])
        );
    }

    #[test]
    fn header_is_written_in_the_specified_order() {
        assert_eq!(
            piece(0x0102, 0, true, &[9]),
            [0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1, 9]
        );
    }

    #[test]
    fn message_of_exactly_one_fragment_is_not_followed_by_an_empty_one() {
        let mut fragmenter = Fragmenter::new(Fragment::HEADER_LEN + 4);
        assert_eq!(fragmenter.fragment(b"1234").len(), 1);
        assert_eq!(fragmenter.fragment(b"12345").len(), 2);
        assert_eq!(fragmenter.fragment(b"").len(), 1);
    }

    #[test]
    fn interleaved_messages_come_out_in_the_order_they_end() {
        let mut defragmenter = Defragmenter::default();
        for bytes in [
            piece(1, 0, false, b"a"),
            piece(2, 0, true, b"x"),
            piece(1, 1, true, b"b"),
        ] {
            defragmenter.receive(&bytes).unwrap();
        }
        assert_eq!(defragmenter.next_message().unwrap(), b"x");
        assert_eq!(defragmenter.next_message().unwrap(), b"ab");
        assert_eq!(defragmenter.next_message(), None);
        assert_eq!(defragmenter.finish(), Ok(()));
    }

    #[test]
    fn doubled_lost_and_overtaking_fragments_are_told_apart() {
        let begin = piece(7, 0, false, b"a");
        let cases = [
            (piece(7, 0, false, b"a"), FragmentError::Repeated { object_id: 7 }),
            (
                piece(7, 2, true, b"c"),
                FragmentError::OutOfOrder {
                    object_id: 7,
                    expected: 1,
                    found: 2,
                },
            ),
            (
                piece(8, 1, true, b"c"),
                FragmentError::NotBegun {
                    object_id: 8,
                    found: 1,
                },
            ),
            (
                wire(Fragment {
                    object_id: 7,
                    fragment_id: 1,
                    start: true,
                    end: false,
                    blob: b"b",
                }),
                FragmentError::StartFlag {
                    object_id: 7,
                    found: 1,
                },
            ),
        ];
        for (second, expected) in cases {
            let mut defragmenter = Defragmenter::default();
            defragmenter.receive(&begin).unwrap();
            assert_eq!(defragmenter.receive(&second), Err(expected));
        }
    }

    #[test]
    fn whole_message_that_comes_twice_is_an_error() {
        let mut defragmenter = Defragmenter::default();
        defragmenter.receive(&piece(7, 0, true, b"a")).unwrap();
        assert_eq!(
            defragmenter.receive(&piece(7, 0, true, b"a")),
            Err(FragmentError::Repeated { object_id: 7 })
        );
    }

    #[test]
    fn hostile_size_is_refused_before_its_bytes_are_awaited() {
        let mut header = piece(1, 0, true, b"");
        header[17..21].copy_from_slice(&u32::MAX.to_be_bytes());
        let mut defragmenter = Defragmenter::new(FragmentLimits {
            max_message: 100,
            max_open: 2,
        });
        assert_eq!(
            defragmenter.receive(&header),
            Err(FragmentError::TooLarge {
                object_id: 1,
                limit: 100,
                found: u32::MAX as usize
            })
        );
    }

    #[test]
    fn limits_hold_for_the_sum_of_fragments_and_for_open_messages() {
        let limits = FragmentLimits {
            max_message: 3,
            max_open: 2,
        };
        let mut defragmenter = Defragmenter::new(limits);
        defragmenter.receive(&piece(1, 0, false, b"ab")).unwrap();
        assert_eq!(
            defragmenter.receive(&piece(1, 1, true, b"cd")),
            Err(FragmentError::TooLarge {
                object_id: 1,
                limit: 3,
                found: 4
            })
        );

        let mut defragmenter = Defragmenter::new(limits);
        defragmenter.receive(&piece(1, 0, false, b"a")).unwrap();
        defragmenter.receive(&piece(2, 0, false, b"a")).unwrap();
        assert_eq!(
            defragmenter.receive(&piece(3, 0, false, b"a")),
            Err(FragmentError::TooManyOpen {
                object_id: 3,
                limit: 2
            })
        );
    }

    #[test]
    fn end_of_stream_in_the_middle_is_said() {
        let mut defragmenter = Defragmenter::default();
        defragmenter.receive(&piece(1, 0, false, b"ab")).unwrap();
        defragmenter.receive(&[0; 5]).unwrap();
        assert_eq!(
            defragmenter.finish(),
            Err(FragmentError::Truncated { open: 1, buffered: 5 })
        );
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_messages(
            messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..8),
            max_fragment in 22usize..80,
            cut in 1usize..50,
        ) {
            let mut fragmenter = Fragmenter::new(max_fragment);
            let wire: Vec<u8> = messages.iter().flat_map(|m| fragmenter.fragment(m)).flatten().collect();
            let mut defragmenter = Defragmenter::default();
            for chunk in wire.chunks(cut) {
                defragmenter.receive(chunk).unwrap();
            }
            let mut found = Vec::new();
            while let Some(message) = defragmenter.next_message() {
                found.push(message);
            }
            prop_assert_eq!(found, messages);
            prop_assert_eq!(defragmenter.finish(), Ok(()));
        }
    }
}
