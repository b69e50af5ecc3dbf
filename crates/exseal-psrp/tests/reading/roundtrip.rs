//! Any document, written and read again.

use std::collections::HashMap;

use exseal_psrp::clixml::{
    Container, ContainerKind, Document, Object, ObjectId, Opaque, Property, PsString, Value,
};
use proptest::prelude::*;

use super::decode;
use crate::text::units;

/// Whether two documents hold the same graph, wherever in their tables the objects stand; the first difference if not.
pub(crate) fn same(a: &Document<'_>, b: &Document<'_>) -> Result<(), String> {
    if (a.in_objs, a.values.len()) != (b.in_objs, b.values.len()) {
        return Err(format!("{} values and {}", a.values.len(), b.values.len()));
    }
    let mut pairs = Pairs {
        a,
        b,
        met: HashMap::new(),
        waiting: Vec::new(),
    };
    for (one, other) in a.values.iter().zip(&b.values) {
        pairs.value(one, other)?;
    }
    while let Some((one, other)) = pairs.waiting.pop() {
        pairs.object(&a.objects[one.0], &b.objects[other.0])?;
    }
    Ok(())
}

struct Pairs<'d, 'a, 'b> {
    a: &'d Document<'a>,
    b: &'d Document<'b>,
    /// Which object of `b` one of `a` is; each is compared once.
    met: HashMap<ObjectId, ObjectId>,
    waiting: Vec<(ObjectId, ObjectId)>,
}

impl Pairs<'_, '_, '_> {
    fn value(&mut self, one: &Value<'_>, other: &Value<'_>) -> Result<(), String> {
        let equal = match (one, other) {
            (Value::Object(one), Value::Object(other)) => match self.met.insert(*one, *other) {
                Some(before) => before == *other,
                None => {
                    self.waiting.push((*one, *other));
                    true
                }
            },
            (Value::F32(one), Value::F32(other)) => {
                one.to_bits() == other.to_bits() || (one.is_nan() && other.is_nan())
            }
            (Value::F64(one), Value::F64(other)) => {
                one.to_bits() == other.to_bits() || (one.is_nan() && other.is_nan())
            }
            (one, other) => one == other,
        };
        if equal {
            Ok(())
        } else {
            Err(format!("{one:?} and {other:?}"))
        }
    }

    fn object(&mut self, one: &Object<'_>, other: &Object<'_>) -> Result<(), String> {
        if (one.types.is_some(), self.a.types(one), &one.to_string)
            != (other.types.is_some(), self.b.types(other), &other.to_string)
        {
            return Err(format!("{one:?} and {other:?}"));
        }
        match (&one.base, &other.base) {
            (Some(one), Some(other)) => self.value(one, other)?,
            (None, None) => {}
            different => return Err(format!("{different:?}")),
        }
        match (&one.container, &other.container) {
            (Some(one), Some(other)) if one.kind == other.kind && one.items.len() == other.items.len() => {
                for (one, other) in one.items.iter().zip(&other.items) {
                    self.value(one, other)?;
                }
            }
            (None, None) => {}
            different => return Err(format!("{different:?}")),
        }
        for (one, other) in [(&one.adapted, &other.adapted), (&one.extended, &other.extended)] {
            match (one, other) {
                (Some(one), Some(other)) if one.len() == other.len() => {
                    for (one, other) in one.iter().zip(other) {
                        if one.name != other.name {
                            return Err(format!("{:?} and {:?}", one.name, other.name));
                        }
                        self.value(&one.value, &other.value)?;
                    }
                }
                (None, None) => {}
                different => return Err(format!("{different:?}")),
            }
        }
        Ok(())
    }
}

fn string() -> impl Strategy<Value = PsString<'static>> {
    units().prop_map(PsString::from_units)
}

/// A value of any kind; objects by a place below `objects`, which may be any, so that circles arise.
fn value(objects: usize) -> impl Strategy<Value = Value<'static>> {
    let primitive = prop_oneof![
        Just(Value::Nil),
        string().prop_map(Value::String),
        any::<u16>().prop_map(Value::Char),
        any::<bool>().prop_map(Value::Bool),
        any::<u8>().prop_map(Value::U8),
        any::<i8>().prop_map(Value::I8),
        any::<u16>().prop_map(Value::U16),
        any::<i16>().prop_map(Value::I16),
        any::<u32>().prop_map(Value::U32),
        any::<i32>().prop_map(Value::I32),
        any::<u64>().prop_map(Value::U64),
        any::<i64>().prop_map(Value::I64),
        any::<u32>().prop_map(|bits| Value::F32(f32::from_bits(bits))),
        any::<u64>().prop_map(|bits| Value::F64(f64::from_bits(bits))),
        "[0-9T:Z+.-]{0,28}".prop_map(|text| Value::DateTime(text.into())),
        "P[0-9DTHMS.]{0,12}".prop_map(|text| Value::TimeSpan(text.into())),
        "-?[0-9]{1,28}".prop_map(|text| Value::Decimal(text.into())),
        "[0-9a-f-]{36}".prop_map(|text| Value::Guid(text.into())),
        "[0-9.]{0,12}".prop_map(|text| Value::Version(text.into())),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(Value::Bytes),
        string().prop_map(Value::Uri),
        string().prop_map(Value::Xml),
        string().prop_map(Value::ScriptBlock),
        "[A-Za-z0-9+/=]{0,20}".prop_map(|text| Value::SecureString(Opaque(text.into()))),
    ];
    prop_oneof![2 => primitive, 1 => (0..objects).prop_map(|place| Value::Object(ObjectId(place)))]
}

fn properties(objects: usize) -> impl Strategy<Value = Option<Vec<Property<'static>>>> {
    let property = (string(), value(objects)).prop_map(|(name, value)| Property { name, value });
    proptest::option::of(proptest::collection::vec(property, 0..4))
}

fn container(objects: usize) -> impl Strategy<Value = Option<Container<'static>>> {
    let kind = prop::sample::select(vec![
        ContainerKind::Stack,
        ContainerKind::Queue,
        ContainerKind::List,
        ContainerKind::Enumerable,
        ContainerKind::Dictionary,
    ]);
    let items = proptest::collection::vec([value(objects), value(objects)], 0..3);
    let container = (kind, items).prop_map(|(kind, items)| Container {
        kind,
        items: items.into_iter().flatten().collect(),
    });
    proptest::option::of(container)
}

fn document() -> impl Strategy<Value = Document<'static>> {
    (1_usize..7).prop_flat_map(|objects| {
        let object = (
            proptest::option::of(0_usize..3),
            proptest::option::of(string()),
            proptest::option::of(value(objects)),
            container(objects),
            properties(objects),
            properties(objects),
        )
            .prop_map(|(types, to_string, base, container, adapted, extended)| Object {
                types,
                to_string,
                base,
                container,
                adapted,
                extended,
            });
        (
            proptest::collection::vec(value(objects), 1..4),
            proptest::collection::vec(object, objects),
            proptest::collection::vec(proptest::collection::vec(string(), 0..3), 3),
            any::<bool>(),
        )
            .prop_map(|(values, objects, type_names, in_objs)| Document {
                values,
                objects,
                type_names,
                in_objs,
            })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_document_is_written_and_read_again_the_same(document in document()) {
        let written = document.encode();

        let again = decode(&written);

        prop_assert_eq!(same(&document, &again), Ok(()), "{}", written);
        prop_assert_eq!(again.encode(), written);
    }

    #[test]
    fn owning_a_document_changes_nothing(document in document()) {
        let written = document.encode();
        let borrowed = decode(&written);
        let owned = borrowed.clone().into_owned();

        prop_assert_eq!(&owned.encode(), &written);
        prop_assert_eq!(same(&borrowed, &owned), Ok(()));
    }

    #[test]
    fn grafting_keeps_both_documents(one in document(), other in document()) {
        let mut together = one.clone();
        let values = together.graft(other.clone());

        let grafted = Document { values, in_objs: other.in_objs, ..together.clone() };
        prop_assert_eq!(same(&other, &grafted), Ok(()));
        prop_assert_eq!(same(&one, &together), Ok(()));
    }
}
