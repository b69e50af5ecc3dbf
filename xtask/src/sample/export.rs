//! What `Export-Clixml` writes of objects that came over remote PowerShell, in the recorded shapes.

use exseal_psrp::clixml::{Container, ContainerKind, Document, Object, Property, PsString, Value};

/// A value of a property, in the form in which remote PowerShell carries it.
#[derive(Debug, Clone)]
pub(super) enum Field {
    Text(String),
    Flag(bool),
    Number(i32),
    Null,
    /// A .NET enum: its type, name and number.
    Enum(&'static str, String, i32),
    /// An object of which only its text survived.
    Named(&'static str, String),
    /// A `MultiValuedProperty` of texts: the type of its elements.
    List(&'static str, Vec<String>),
    Uri(String),
    Date(String),
    Bytes(Vec<u8>),
}

impl Field {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// An `ADObjectId`.
    pub(super) fn id(text: impl Into<String>) -> Self {
        Self::Named("Microsoft.Exchange.Data.Directory.ADObjectId", text.into())
    }
}

/// The file that an export makes.
pub(super) struct Export {
    document: Document<'static>,
    /// The server that the session was opened to.
    computer: String,
}

impl Export {
    pub(super) fn new(computer: &str) -> Self {
        Self {
            document: Document {
                in_objs: true,
                ..Document::default()
            },
            computer: computer.to_owned(),
        }
    }

    /// Adds an object; what remoting adds to every object (the computer's name…) goes into MS.
    ///
    /// `notes` are further properties in MS, behind those.
    pub(super) fn add(
        &mut self,
        types: &[&'static str],
        shown: &str,
        properties: Vec<(&'static str, Field)>,
        notes: Vec<(&'static str, Field)>,
    ) {
        let types = self.document.add_types(types);
        let adapted = self.properties(properties);
        let mut extended = vec![
            property("PSComputerName", Value::String(self.computer.clone().into())),
            property(
                "RunspaceId",
                Value::Guid("6b1f4c2e-3d0a-4a57-9c58-0e1d2f3a4b5c".into()),
            ),
            property("PSShowComputerName", Value::Bool(false)),
        ];
        extended.extend(self.properties(notes));
        let value = self.document.add(Object {
            types: Some(types),
            to_string: Some(shown.to_owned().into()),
            adapted: Some(adapted),
            extended: Some(extended),
            ..Object::default()
        });
        self.document.values.push(value);
    }

    /// Adds an object of the own machine: no computer's name, everything in MS.
    pub(super) fn add_local(
        &mut self,
        types: &[&'static str],
        shown: &str,
        notes: Vec<(&'static str, Field)>,
    ) {
        let types = self.document.add_types(types);
        let extended = self.properties(notes);
        let value = self.document.add(Object {
            types: Some(types),
            to_string: Some(shown.to_owned().into()),
            extended: Some(extended),
            ..Object::default()
        });
        self.document.values.push(value);
    }

    fn properties(&mut self, fields: Vec<(&'static str, Field)>) -> Vec<Property<'static>> {
        fields
            .into_iter()
            .map(|(name, field)| property(name, self.value(field)))
            .collect()
    }

    fn value(&mut self, field: Field) -> Value<'static> {
        let object = match field {
            Field::Text(text) => return Value::String(text.into()),
            Field::Flag(flag) => return Value::Bool(flag),
            Field::Number(number) => return Value::I32(number),
            Field::Null => return Value::Nil,
            Field::Uri(uri) => return Value::Uri(uri.into()),
            Field::Date(date) => return Value::DateTime(date.into()),
            Field::Bytes(bytes) => return Value::Bytes(bytes),
            Field::Enum(of, name, number) => Object {
                types: Some(self.document.add_types(&[
                    of,
                    "System.Enum",
                    "System.ValueType",
                    "System.Object",
                ])),
                to_string: Some(name.into()),
                base: Some(Value::I32(number)),
                ..Object::default()
            },
            Field::Named(of, text) => Object {
                types: Some(self.document.add_types(&[of, "System.Object"])),
                to_string: Some(text.into()),
                ..Object::default()
            },
            Field::List(of, texts) => Object {
                types: Some(self.document.add_types(&[of, "System.Object"])),
                container: Some(Container {
                    kind: ContainerKind::List,
                    items: texts.into_iter().map(|text| Value::String(text.into())).collect(),
                }),
                ..Object::default()
            },
        };
        self.document.add(object)
    }

    /// The file: UTF-8 with BOM, a line a property.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut text = self.document.encode();
        let tags = [
            "Obj ",
            "S N=",
            "B N=",
            "I32 N=",
            "Nil N=",
            "DT N=",
            "URI N=",
            "G N=",
            "BA N=",
            "Props>",
            "MS>",
            "TN ",
            "TNRef ",
            "ToString>",
            "/Objs>",
        ];
        for tag in tags {
            text = text.replace(&format!("><{tag}"), &format!(">\n<{tag}"));
        }
        format!("\u{feff}{text}\n").into_bytes()
    }
}

/// The same file as Windows PowerShell's `Export-Clixml` writes it by default: UTF-16LE with BOM.
pub(super) fn as_utf16(utf8: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(utf8)
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect()
}

fn property(name: &'static str, value: Value<'static>) -> Property<'static> {
    Property {
        name: PsString::from(name),
        value,
    }
}
