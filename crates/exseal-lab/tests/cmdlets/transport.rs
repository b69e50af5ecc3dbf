//! Connectors, virtual directories, components, overrides: what the cmdlets change in the world, and what they refuse.

use exseal_psrp::data::Data;

use super::*;

const PAIR: &str = "<I>CN=Some CA, C=DE<S>CN=mail.contoso.lab";

fn set(noun: &str, identity: &str) -> Command {
    Command::new(format!("Set-{noun}")).with("Identity", identity)
}

fn one(world: &mut World, command: Command, name: &str) -> String {
    let outcome = done(world, command);
    all(&outcome, name).remove(0)
}

#[test]
fn a_send_connectors_name_pair_needs_tls_and_stays_as_it_was_written() {
    let mut world = world("[[server]]\nname = \"EX1\"\n[[send_connector]]\nname = \"Out\"\n");
    let named = set("SendConnector", "Out").with("TlsCertificateName", PAIR);

    let refused = run(&mut world, named.clone());
    done(&mut world, named.with("RequireTLS", true));

    assert_eq!(
        message(&refused),
        "RequiredTls flag should be set to true if TlsCertificateName is specified"
    );
    let get = || Command::new("Get-SendConnector").with("Identity", "out");
    assert_eq!(one(&mut world, get(), "TlsCertificateName"), PAIR);
    done(
        &mut world,
        set("SendConnector", "Out").with("TlsCertificateName", Data::Null),
    );
    assert_eq!(one(&mut world, get(), "TlsCertificateName"), "");
}

#[test]
fn a_name_pair_without_its_marks_is_refused_while_binding() {
    let mut world = two_servers();

    let outcome = run(
        &mut world,
        set("ReceiveConnector", "EX1\\Default Frontend EX1")
            .with("TlsCertificateName", "CN=mail.contoso.lab"),
    );

    let error = outcome.error().expect("an error");
    assert!(
        error
            .fully_qualified_error_id
            .starts_with("CannotConvertArgumentNoMessage,"),
        "{error:?}"
    );
}

#[test]
fn a_receive_connector_is_found_on_the_sessions_server_or_by_its_full_identity() {
    let mut world = two_servers();
    let get = |identity: &str| Command::new("Get-ReceiveConnector").with("Identity", identity);

    assert_eq!(
        all(&done(&mut world, get("Default EX1")), "Name"),
        ["Default EX1"]
    );
    assert_eq!(
        all(&done(&mut world, get("EX2\\Default EX2")), "Name"),
        ["Default EX2"]
    );
    assert_eq!(
        reason(&run(&mut world, get("Default EX2"))),
        "ManagementObjectNotFoundException"
    );
    let of_server = done(
        &mut world,
        Command::new("Get-ReceiveConnector").with("Server", "EX2"),
    );
    assert_eq!(all(&of_server, "Name").len(), 5);
}

#[test]
fn the_hubs_default_connector_keeps_the_name_of_its_server() {
    let mut world = two_servers();

    let outcome = run(
        &mut world,
        set("ReceiveConnector", "Default EX1").with("Fqdn", "mail.contoso.lab"),
    );

    assert_eq!(reason(&outcome), "DataValidationException");
    done(
        &mut world,
        set("ReceiveConnector", "Client Frontend EX1").with("Fqdn", "mail.contoso.lab"),
    );
}

#[test]
fn a_connector_that_was_made_listens_and_one_that_was_removed_does_not() {
    let mut world = two_servers();
    let listens = |world: &World| {
        world
            .directory()
            .receive_connectors(0)
            .any(|connector| connector.bindings == ["0.0.0.0:2626"])
    };
    let new = Command::new("New-ReceiveConnector")
        .with("Name", "Relay")
        .with("Bindings", Data::strings(["0.0.0.0:2626"]))
        .with("RemoteIPRanges", Data::strings(["10.0.0.0/8"]))
        .with("TransportRole", "FrontendTransport");

    done(&mut world, new.clone());
    let again = run(&mut world, new);

    assert!(listens(&world));
    assert_eq!(reason(&again), "ADObjectAlreadyExistsException");
    let remove = Command::new("Remove-ReceiveConnector").with("Identity", "EX1\\Relay");
    let asked = run(&mut world, remove.clone());
    assert_eq!(prompt(&asked).default, 0);
    assert!(listens(&world));
    done(&mut world, remove.with("Confirm", false));
    assert!(!listens(&world));
}

#[test]
fn a_component_is_active_again_when_every_requester_says_so() {
    let mut world = two_servers();
    let ask = |requester: &str, state: &str| {
        set("ServerComponentState", "EX1")
            .with("Component", "FrontendTransport")
            .with("Requester", requester)
            .with("State", state)
    };
    let state = |world: &mut World| {
        let get = Command::new("Get-ServerComponentState")
            .with("Identity", "EX1")
            .with("Component", "FrontendTransport");
        one(world, get, "State")
    };

    done(&mut world, ask("Maintenance", "Inactive"));
    done(&mut world, ask("Functional", "Active"));
    assert_eq!(state(&mut world), "Inactive");
    assert!(!world.smtp_listener(&ex1(), 25).expect("a listener").active);
    done(&mut world, ask("Maintenance", "Active"));
    assert_eq!(state(&mut world), "Active");
}

#[test]
fn databases_move_to_another_member_of_the_group_and_not_back_by_themselves() {
    let mut world = world(
        "dag = \"DAG1\"\n[[server]]\nname = \"EX1\"\n[[server]]\nname = \"EX2\"\n[[server]]\nname = \"EX3\"\ndag = \"DAG2\"\n",
    );
    let on = |world: &mut World, server: &str| {
        let get = Command::new("Get-MailboxDatabaseCopyStatus").with("Server", server);
        let mut states = all(&done(world, get), "Status");
        states.sort();
        states
    };
    assert_eq!(on(&mut world, "EX1"), ["Healthy", "Mounted"]);
    assert_eq!(on(&mut world, "EX3"), ["Mounted"], "alone in its group");

    let turn = |server: &str, value: bool| {
        set("MailboxServer", server).with("DatabaseCopyActivationDisabledAndMoveNow", value)
    };
    done(&mut world, turn("EX1", true));
    assert_eq!(on(&mut world, "EX1"), ["Healthy", "Healthy"]);
    assert_eq!(on(&mut world, "EX2"), ["Mounted", "Mounted"]);
    done(&mut world, turn("EX3", true));
    assert_eq!(on(&mut world, "EX3"), ["Mounted"], "nowhere to go");
    // No healthy copy may be activated on the first: everything stays on the second.
    done(&mut world, turn("EX2", true));
    assert_eq!(on(&mut world, "EX2"), ["Mounted", "Mounted"]);
    done(&mut world, turn("EX1", false));
    assert_eq!(on(&mut world, "EX1"), ["Healthy", "Healthy"]);

    let policy = "DatabaseCopyAutoActivationPolicy";
    done(&mut world, set("MailboxServer", "EX1").with(policy, "Blocked"));
    let get = Command::new("Get-MailboxServer").with("Identity", "EX1");
    assert_eq!(one(&mut world, get, policy), "Blocked");
    let nobody = run(&mut world, turn("EX9", true));
    assert_eq!(reason(&nobody), "ManagementObjectNotFoundException");
}

#[test]
fn a_service_that_is_down_is_named_by_the_roles_that_need_it() {
    let mut world = world(
        "[[server]]\nname = \"EX1\"\nversion = \"2019\"\nservices = { MSExchangeTransport = { running = false } }\n",
    );

    let outcome = done(&mut world, Command::new("Test-ServiceHealth"));

    assert_eq!(
        all(&outcome, "Role"),
        [
            "Mailbox Server Role",
            "Client Access Server Role",
            "Hub Transport Server Role"
        ]
    );
    assert_eq!(
        all(&outcome, "RequiredServicesRunning"),
        ["True", "True", "False"]
    );
}

#[test]
fn an_override_is_seen_by_the_process_and_gone_when_it_is_removed() {
    let mut world = two_servers();
    let look = || {
        Command::new("Get-ExchangeDiagnosticInfo")
            .with("Process", "Microsoft.Exchange.Directory.TopologyService")
            .with("Component", "VariantConfiguration")
            .with("Argument", "Refresh")
    };
    let new = Command::new("New-SettingOverride")
        .with("Name", "Signing")
        .with("Component", "Data")
        .with("Section", "EnableSerializationDataSigning")
        .with("Parameters", Data::strings(["Enabled=false"]))
        .with("Reason", "a test");

    done(&mut world, new);
    assert!(one(&mut world, look(), "Result").contains("<Parameter>Enabled=false</Parameter>"));
    done(
        &mut world,
        Command::new("Remove-SettingOverride")
            .with("Identity", "Signing")
            .with("Confirm", false),
    );
    assert!(one(&mut world, look(), "Result").contains("<Overrides Updated="));
    assert!(!one(&mut world, look(), "Result").contains("Enabled=false"));
}

#[test]
fn urls_are_shown_as_the_directory_has_them_and_can_be_set() {
    let mut world = two_servers();
    let get = || Command::new("Get-OwaVirtualDirectory").with("Server", "EX2");

    assert_eq!(one(&mut world, get(), "Identity"), "EX2\\owa (Default Web Site)");
    done(
        &mut world,
        set("OwaVirtualDirectory", "EX2\\owa (Default Web Site)")
            .with("ExternalUrl", "https://mail.contoso.lab/owa"),
    );
    assert_eq!(
        one(&mut world, get(), "ExternalUrl"),
        "https://mail.contoso.lab/owa"
    );
    let bad = run(
        &mut world,
        set("OwaVirtualDirectory", "EX2\\owa (Default Web Site)").with("ExternalUrl", "mail.contoso.lab"),
    );
    assert!(bad.error().is_some());
    done(
        &mut world,
        set("ClientAccessService", "EX2").with(
            "AutoDiscoverServiceInternalUri",
            "https://mail.contoso.lab/Autodiscover/Autodiscover.xml",
        ),
    );
    assert_eq!(
        one(
            &mut world,
            Command::new("Get-ClientAccessService").with("Identity", "EX2"),
            "AutoDiscoverServiceInternalUri"
        ),
        "https://mail.contoso.lab/Autodiscover/Autodiscover.xml"
    );
}

#[test]
fn without_a_hybrid_configuration_nothing_is_written_and_nothing_can_be_set() {
    let mut world = two_servers();

    assert_eq!(
        done(&mut world, Command::new("Get-HybridConfiguration"))
            .output()
            .count(),
        0
    );
    assert_eq!(
        reason(&run(
            &mut world,
            Command::new("Set-HybridConfiguration").with("TlsCertificateName", PAIR)
        )),
        "ManagementObjectNotFoundException"
    );
}

#[test]
fn commands_are_those_the_user_may_run_with_their_parameters() {
    let mut world = two_servers();
    let ask = Command::new("Get-Command").with("Name", Data::strings(["*-SendConnector", "Select-Object"]));

    let of_admin = done(&mut world, ask.clone());
    let of_viewer = world.run(&ex1(), REMOTE, "viewer", &ask.into());

    assert_eq!(
        all(&of_admin, "Name"),
        [
            "Get-SendConnector",
            "New-SendConnector",
            "Remove-SendConnector",
            "Select-Object",
            "Set-SendConnector"
        ]
    );
    assert_eq!(all(&of_viewer, "Name"), ["Get-SendConnector", "Select-Object"]);
    let document = of_admin.output().last().expect("an object");
    let object = document.object(&document.values[0]).expect("an object");
    let parameters = document.property(object, "Parameters").expect("parameters");
    let entries = document
        .object(parameters)
        .and_then(|own| own.container.as_ref())
        .expect("a dictionary");
    assert!(
        entries
            .items
            .iter()
            .any(|key| document.text(key).as_deref() == Some("TlsCertificateName"))
    );
}

#[test]
fn a_queue_of_a_server_is_filtered_and_one_that_is_not_there_is_an_error() {
    let mut world = world(
        "[[server]]\nname = \"EX1\"\n[[server.queue]]\nid = \"3\"\ndelivery_type = \"SmartHostConnectorDelivery\"\n\
         status = \"Retry\"\nmessages = 12\nlast_error = \"454 4.7.5\"\n",
    );

    let waiting = done(
        &mut world,
        Command::new("Get-Queue").with("Filter", "MessageCount -gt 0"),
    );
    let missing = run(&mut world, Command::new("Get-Queue").with("Identity", "EX1\\9"));

    assert_eq!(all(&waiting, "Identity"), ["EX1\\3"]);
    assert_eq!(all(&waiting, "LastError"), ["454 4.7.5"]);
    assert_eq!(
        all(&done(&mut world, Command::new("Get-Queue")), "Identity"),
        ["EX1\\3", "EX1\\Submission"]
    );
    assert_eq!(reason(&missing), "ObjectNotFoundException");
}

#[test]
fn an_edge_subscription_names_its_server_and_site() {
    let mut world = world(
        "[[server]]\nname = \"EX1\"\n[[server]]\nname = \"EDGE1\"\nrole = \"edge\"\n[[edge_subscription]]\nedge = \
         \"EDGE1\"\n",
    );
    let get = || Command::new("Get-EdgeSubscription");

    let outcome = done(&mut world, get());

    assert_eq!(all(&outcome, "Name"), ["EDGE1"]);
    assert_eq!(all(&outcome, "Domain"), ["contoso.lab"]);
    assert_eq!(
        reason(&run(&mut world, get().with("Identity", "EDGE9"))),
        "ManagementObjectNotFoundException"
    );
}
