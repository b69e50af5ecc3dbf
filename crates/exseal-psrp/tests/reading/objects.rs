//! Objects, their types, properties and containers, and references between them.

use exseal_psrp::clixml::{ContainerKind, Document, ObjectId, PsString, Value};

use super::{decode, first, object, refused};

/// The names of a list of properties.
fn names<'d>(properties: Option<&'d Vec<exseal_psrp::clixml::Property<'_>>>) -> Vec<&'d str> {
    properties
        .into_iter()
        .flatten()
        .filter_map(|property| property.name.as_str())
        .collect()
}

#[test]
fn adapted_and_extended_properties_stay_apart_and_in_order() {
    let document = decode(
        "<Obj RefId=\"0\"><TN RefId=\"0\"><T>A</T><T>B</T></TN><ToString>shown</ToString><I32>7</I32>\
         <LST><S>item</S></LST><Props><S N=\"b\">1</S><S N=\"a\">2</S></Props>\
         <MS><S N=\"A\">3</S><Nil N=\"c\" /></MS></Obj>",
    );
    let object = object(&document);

    assert_eq!(document.types(object), [PsString::from("A"), PsString::from("B")]);
    assert_eq!(object.to_string, Some(PsString::from("shown")));
    assert_eq!(object.base, Some(Value::I32(7)));
    let container = object.container.as_ref().expect("a list");
    assert_eq!(container.kind, ContainerKind::List);
    assert_eq!(container.items, [Value::String(PsString::from("item"))]);
    assert_eq!(names(object.adapted.as_ref()), ["b", "a"]);
    assert_eq!(names(object.extended.as_ref()), ["A", "c"]);
    assert_eq!(
        document.property(object, "a"),
        Some(&Value::String(PsString::from("3"))),
        "an extended property hides an adapted one"
    );
}

#[test]
fn empty_and_absent_are_not_the_same() {
    let document = decode(
        "<Objs><Obj RefId=\"0\" /><Obj RefId=\"1\"><TN RefId=\"0\" /><ToString /><LST /><Props /><MS /></Obj></Objs>",
    );
    let [absent, empty] = document.objects.as_slice() else {
        panic!("{document:?}")
    };

    assert_eq!(absent, &exseal_psrp::clixml::Object::default());
    assert_eq!(empty.to_string, Some(PsString::from("")));
    assert_eq!(empty.types, Some(0));
    assert_eq!(document.types(empty), []);
    assert_eq!(empty.container.as_ref().map(|list| list.items.len()), Some(0));
    assert_eq!((&empty.adapted, &empty.extended), (&Some(vec![]), &Some(vec![])));
}

#[test]
fn type_names_are_shared_by_reference() {
    let document = decode(
        "<Objs><Obj RefId=\"0\"><TN RefId=\"7\"><T>Deserialized.Selected.X</T><T>Y</T></TN></Obj>\
         <Obj RefId=\"1\"><TNRef RefId=\"7\" /></Obj></Objs>",
    );
    let second = &document.objects[1];

    assert_eq!(document.types(second), document.types(&document.objects[0]));
    assert!(document.is_a(second, "X") && document.is_a(second, "Y"));
    assert!(!document.is_a(second, "Deserialized.Selected.X"));
    assert_eq!(document.type_names.len(), 1);
}

#[test]
fn containers_of_all_kinds_keep_order_and_nesting() {
    for (element, kind) in [
        ("STK", ContainerKind::Stack),
        ("QUE", ContainerKind::Queue),
        ("LST", ContainerKind::List),
        ("IE", ContainerKind::Enumerable),
    ] {
        let text = format!(
            "<Obj RefId=\"0\"><{element}><I32>1</I32><Nil /><Obj RefId=\"1\"><LST><S>x</S></LST></Obj><Ref RefId=\"1\" /></{element}></Obj>"
        );
        let document = decode(&text);
        let container = object(&document).container.as_ref().expect(element);
        assert_eq!(container.kind, kind);
        assert_eq!(
            container.items,
            [
                Value::I32(1),
                Value::Nil,
                Value::Object(ObjectId(1)),
                Value::Object(ObjectId(1))
            ]
        );
    }
}

#[test]
fn keys_of_dictionaries_may_be_anything() {
    let document = decode(
        "<Obj RefId=\"0\"><DCT>\
         <En><S N=\"Key\">a</S><I32 N=\"Value\">1</I32></En>\
         <En><Obj N=\"Value\" RefId=\"1\"><DCT /></Obj><Obj N=\"Key\" RefId=\"2\"><MS><S N=\"x\">y</S></MS></Obj></En>\
         <En><I64 N=\"Key\">5</I64><Ref N=\"Value\" RefId=\"2\" /></En></DCT></Obj>",
    );
    let items = document.items(&first(&document)).expect("a dictionary").to_vec();

    assert_eq!(
        items,
        [
            Value::String(PsString::from("a")),
            Value::I32(1),
            Value::Object(ObjectId(2)),
            Value::Object(ObjectId(1)),
            Value::I64(5),
            Value::Object(ObjectId(2)),
        ]
    );
}

#[test]
fn references_may_point_back_forward_and_in_circles() {
    let document = decode(
        "<Objs><Obj RefId=\"0\"><MS><Ref N=\"self\" RefId=\"0\" /><Ref N=\"later\" RefId=\"5\" /></MS></Obj>\
         <Obj RefId=\"5\"><MS><S N=\"name\">later</S><Ref N=\"back\" RefId=\"0\" /></MS></Obj><Ref RefId=\"5\" /></Objs>",
    );
    let top = first(&document);

    assert_eq!(document.values.len(), 3);
    assert_eq!(document.objects.len(), 2);
    let around = ["later", "back", "self", "self", "later", "name"];
    let name = document.path(&top, &around).expect("a way around");
    assert_eq!(document.text(name).as_deref(), Some("later"));
    assert_eq!(document.values[1], document.values[2]);
}

#[test]
fn an_id_that_is_used_again_means_the_new_object_from_there_on() {
    let document = decode(
        "<Objs><Obj RefId=\"0\"><S>one</S></Obj><Ref RefId=\"0\" /><Obj RefId=\"0\"><S>two</S></Obj><Ref RefId=\"0\" /></Objs>",
    );
    let texts: Vec<_> = document
        .values
        .iter()
        .filter_map(|value| document.text(value))
        .collect();

    assert_eq!(texts, ["one", "one", "two", "two"]);
}

#[test]
fn documents_with_and_without_their_frame_are_read() {
    for (text, values, in_objs) in [
        (
            "<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\" />",
            0,
            true,
        ),
        ("<Objs></Objs>", 0, true),
        (
            "<?xml version=\"1.0\"?><!-- a --> <Objs>\r\n\t<S>a</S> <S>b</S>\n</Objs>\n<!-- b -->\n",
            2,
            true,
        ),
        ("<S>a</S>", 1, false),
        ("<S>a</S>\n<Obj RefId=\"0\" /><Nil/>", 3, false),
    ] {
        let document = decode(text);
        assert_eq!(
            (document.values.len(), document.in_objs),
            (values, in_objs),
            "{text}"
        );
    }
}

#[test]
fn what_is_not_clixml_is_refused_and_never_skipped() {
    for (text, at, expected) in [
        ("", 0, "CLIXML: <Objs> or a value"),
        ("  <!-- nothing --> ", 19, "CLIXML: <Objs> or a value"),
        ("no XML", 0, "an element"),
        ("<html></html>", 0, "an element of CLIXML in the document"),
        ("<Objs><X /></Objs>", 6, "an element of CLIXML in Objs"),
        ("<Objs><Objs /></Objs>", 6, "an element of CLIXML in Objs"),
        ("<Objs /><S>a</S>", 8, "nothing behind </Objs>"),
        ("<Objs></Objs><Objs />", 13, "nothing behind </Objs>"),
        ("<Objs>text</Objs>", 6, "an element"),
        ("<Objs><S>a</S>text</Objs>", 14, "an element"),
        ("<Objs><S>a</S>", 14, "</Objs>"),
        ("<Objs><S>a", 9, "</S>"),
        ("<Objs><S>a<S>b</S></S></Objs>", 10, "</S>"),
        ("<Objs><S>a</T></Objs>", 10, "</S>"),
        ("<Objs><Obj></Objs>", 11, "</Obj>"),
        ("<S>a</S></Objs>", 8, "an element or the end"),
        (
            "<Obj><MS><S>a</S></MS></Obj>",
            9,
            "the attribute N, a property's name",
        ),
        (
            "<Obj><MS><Obj /></MS></Obj>",
            9,
            "the attribute N, a property's name",
        ),
        ("<Obj><S>a</S><S>b</S></Obj>", 13, "one value in an object"),
        ("<Obj><LST /><LST /></Obj>", 12, "one container in an object"),
        ("<Obj><DCT><S>a</S></DCT></Obj>", 10, "<En>"),
        (
            "<Obj><DCT><En><S N=\"Key\">a</S></En></DCT></Obj>",
            30,
            "an entry with a Key and a Value",
        ),
        (
            "<Obj><DCT><En><S>a</S></En></DCT></Obj>",
            14,
            "N=\"Key\" or N=\"Value\"",
        ),
        (
            "<Obj><DCT><En><S N=\"Key\">a</S><S N=\"Key\">b</S></En></DCT></Obj>",
            30,
            "one Key and one Value",
        ),
        ("<Obj><LST><En /></LST></Obj>", 10, "an element of CLIXML in LST"),
        ("<Obj><TN><S>a</S></TN></Obj>", 9, "<T>"),
        ("<MS />", 0, "an element of CLIXML in the document"),
        ("<Nil>a</Nil>", 5, "</Nil>"),
        ("<Ref />", 0, "the attribute RefId"),
        (
            "<Objs><Ref RefId=\"4\" /></Objs>",
            6,
            "a reference to an object of this document",
        ),
        (
            "<Obj><TNRef RefId=\"0\" /></Obj>",
            5,
            "a reference to type names that stand before it",
        ),
    ] {
        let error = refused(text);
        assert_eq!((error.at, &*error.expected), (at, expected), "{text}: {error}");
    }
}

#[test]
fn an_error_says_line_byte_expectation_and_find() {
    let error = refused("<Objs>\r\n  <S>fine</S>\n  <Wrong N=\"x\">1</Wrong>\n</Objs>");

    assert_eq!(
        error.to_string(),
        "line 3, byte 24: expected an element of CLIXML in Objs, found \"<Wrong N=\\\"x\\\">1</Wrong>\\n</Objs>\""
    );
    assert_eq!(
        refused("<Objs>").to_string(),
        "line 1, byte 6: expected </Objs>, found the end"
    );
}

#[test]
fn attributes_are_read_in_any_order_and_quotes() {
    let document =
        decode("<Obj RefId='0'><MS ><S\n N = 'a > b / \"c\"'\t>1</S ><S other='x' N=\"b\" /></MS></Obj>");

    assert_eq!(names(object(&document).extended.as_ref()), ["a > b / \"c\"", "b"]);
}

#[test]
fn what_is_grafted_keeps_its_own_references() {
    let mut document =
        decode("<Objs><Obj RefId=\"0\"><TN RefId=\"0\"><T>A</T></TN><S>a</S></Obj></Objs>").into_owned();
    let other = decode(
        "<Objs><Obj RefId=\"0\"><TN RefId=\"0\"><T>B</T></TN><LST><Ref RefId=\"0\" /></LST></Obj><Ref RefId=\"0\" /></Objs>",
    )
    .into_owned();

    let values = document.graft(other);

    assert_eq!(values, [Value::Object(ObjectId(1)), Value::Object(ObjectId(1))]);
    document.values.extend(values);
    assert_eq!(document.types(&document.objects[1]), [PsString::from("B")]);
    assert_eq!(
        document.encode(),
        "<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\">\
         <Obj RefId=\"0\"><TN RefId=\"0\"><T>A</T></TN><S>a</S></Obj>\
         <Obj RefId=\"1\"><TN RefId=\"1\"><T>B</T></TN><LST><Ref RefId=\"1\" /></LST></Obj><Ref RefId=\"1\" /></Objs>"
    );
}

#[test]
fn same_type_names_are_added_once() {
    let mut document = Document::default();

    let places = [
        document.add_types(&["A", "B"]),
        document.add_types(&["B"]),
        document.add_types(&["A", "B"]),
    ];

    assert_eq!(places, [0, 1, 0]);
}
