//! SerializationData: streams of .NET's BinaryFormatter ([MS-NRBF]), as Exchange puts them beside its objects.
//!
//! A certificate's stream has the members a client reads. Of every other object only the class and a few texts are in
//! it: what Exchange writes there is not known, and nobody may rely on it.

/// A stream of one object whose members are texts.
pub(crate) fn simple(assembly: &str, class: &str, members: &[(&str, &str)]) -> Vec<u8> {
    let mut stream = Stream::begin();
    stream.library(assembly);
    stream.bytes.push(5); // ClassWithMembersAndTypes
    stream.number(1);
    stream.text(class);
    stream.number(i32::try_from(members.len()).unwrap_or(0));
    for (name, _) in members {
        stream.text(name);
    }
    stream.bytes.extend(members.iter().map(|_| 1)); // String
    stream.number(LIBRARY);
    for (at, (_, value)) in members.iter().enumerate() {
        stream.bytes.push(6); // BinaryObjectString
        stream.number(i32::try_from(at).unwrap_or(0) + 3);
        stream.text(value);
    }
    stream.end()
}

const LIBRARY: i32 = 2;

/// A stream being written.
pub(crate) struct Stream {
    pub(crate) bytes: Vec<u8>,
}

impl Stream {
    pub(crate) fn begin() -> Self {
        // SerializedStreamHeader: root 1, no header, version 1.0.
        let mut stream = Self { bytes: vec![0] };
        for number in [1, -1, 1, 0] {
            stream.number(number);
        }
        stream
    }

    pub(crate) fn number(&mut self, number: i32) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    /// Length in groups of seven bits, then UTF-8.
    pub(crate) fn text(&mut self, text: &str) {
        let mut left = text.len();
        loop {
            let low = u8::try_from(left & 0x7f).unwrap_or(0);
            left >>= 7;
            if left == 0 {
                self.bytes.push(low);
                break;
            }
            self.bytes.push(low | 0x80);
        }
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// BinaryLibrary with the id 2.
    pub(crate) fn library(&mut self, assembly: &str) {
        self.bytes.push(12);
        self.number(LIBRARY);
        self.text(&format!(
            "{assembly}, Version=15.0.0.0, Culture=neutral, PublicKeyToken=31bf3856ad364e35"
        ));
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        self.bytes.push(11); // MessageEnd
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use exseal_psrp::nrbf::{Stream, Value};

    #[test]
    fn a_simple_payload_is_read_as_the_object_it_is() {
        let long = "x".repeat(300);
        let bytes = super::simple("Microsoft.Exchange.Data", "Some.Class", &[("name", &long)]);

        let stream = Stream::read(&bytes).expect("a stream");

        assert_eq!(stream.member(&stream.root, "name"), Some(&Value::Text(long)));
    }
}
