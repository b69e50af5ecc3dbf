//! The readings of `collect/exseal-collect.ps1`: one JSON file a function of `helper/contract.json`.
//!
//! `{"exseal": {"function", "arguments", "server", "at"}, "result": […]}`. What has not the contract's form is an error
//! with its place; the other items are kept.

use exseal_model::inventory::{
    AppPool, CertificateEvent, Disk, HttpSysEntry, LogLine, ScheduledTask, Server, ServerName, SiteBinding,
    Store, StoreEntry, WebSite, WindowsService,
};
use exseal_model::{Channel, Endpoint, Listing, Look, Observed, SourceId, Thumbprint};
use jiff::Timestamp;
use serde_json::Value;

use super::Page;

/// Whether a JSON value is a reading, or the collector's manifest.
pub(super) fn is_reading(value: &Value) -> bool {
    value.pointer("/exseal/function").is_some() || value.get("exsealCollect").is_some()
}

/// Reads a reading; the manifest tells what could not be read there.
pub(super) fn read(page: &mut Page, value: &Value) {
    if value.get("exsealCollect").is_some() {
        return manifest(page, value);
    }
    let head = &value["exseal"];
    let function = head["function"].as_str().unwrap_or_default().to_owned();
    let Some(items) = value["result"].as_array() else {
        return page.error("result", "a list, as helper/contract.json says", "none");
    };
    let name = head["server"].as_str().filter(|name| !name.is_empty());
    let name = name.map_or_else(|| page.nameless(), |name| ServerName::Known(name.to_owned()));
    let source = page.source(Channel::Server, &function, true);
    if let Some(source) = page.inventory.sources.last_mut() {
        source.at = head["at"].as_str().and_then(|at| at.parse().ok());
    }
    // The server itself is named by the machine: its FQDN is what the machine calls itself.
    if let Some(full) = name.known().filter(|name| name.contains('.')) {
        page.inventory.server_mut(&name).fqdn = Observed::seen(full.to_owned(), source);
    }
    let argument = head["arguments"]["Name"].as_str().unwrap_or("My").to_owned();
    let mut reading = Reading { page, name, source };
    match function.as_str() {
        "Get-ExsealStore" => reading.store(&argument, items),
        "Get-ExsealHttpSys" => reading.list(items, Reading::http_sys, |server| &mut server.http_sys),
        "Get-ExsealWebSite" => reading.list(items, Reading::web_site, |server| &mut server.sites),
        "Get-ExsealAppPool" => reading.list(items, Reading::app_pool, |server| &mut server.app_pools),
        "Get-ExsealService" => reading.list(items, Reading::service, |server| &mut server.services),
        "Get-ExsealEvent" => reading.list(items, Reading::event, |server| &mut server.events),
        "Get-ExsealTask" => reading.list(items, Reading::task, |server| &mut server.tasks),
        "Get-ExsealLogLine" => reading.list(items, Reading::log_line, |server| &mut server.log_lines),
        "Get-ExsealDisk" => reading.list(items, Reading::disk, |server| &mut server.disks),
        "Get-ExsealClock" => reading.clock(items),
        "Get-ExsealBuild" => reading.build(items),
        "Get-ExsealRegistry" => reading.registry(items),
        other => {
            let found = other.to_owned();
            page.error("exseal.function", "a function of helper/contract.json", found);
        }
    }
}

fn manifest(page: &mut Page, value: &Value) {
    page.source(Channel::Server, "collector's manifest", true);
    for (at, one) in value["readings"].as_array().into_iter().flatten().enumerate() {
        let Some(error) = one["error"].as_str() else {
            continue;
        };
        let what = one["reading"]
            .as_str()
            .or_else(|| one["cmdlet"].as_str())
            .unwrap_or("a reading");
        page.error(
            format!("readings[{at}]"),
            format!("{what}, read on the server"),
            format!("the error {error} there"),
        );
    }
    if value["cmdlets"].as_str() == Some("none") {
        page.error(
            "cmdlets",
            "Exchange cmdlets, or the snap-in",
            "neither on that server",
        );
    }
}

/// One reading while its items are taken.
struct Reading<'p> {
    page: &'p mut Page,
    name: ServerName,
    source: SourceId,
}

impl Reading<'_> {
    fn server(&mut self) -> &mut Server {
        self.page.inventory.server_mut(&self.name)
    }

    /// Takes every item; one that is not of the contract's form is noted and left out.
    fn list<T: exseal_model::Keyed>(
        &mut self,
        items: &[Value],
        take: fn(&mut Self, &Value, &str) -> Result<T, &'static str>,
        listing: fn(&mut Server) -> &mut Listing<T>,
    ) {
        let mut taken = Vec::new();
        let mut complete = true;
        for (at, item) in items.iter().enumerate() {
            let place = format!("result[{at}]");
            match take(self, item, &place) {
                Ok(item) => taken.push(item),
                Err(expected) => {
                    complete = false;
                    let found: String = item.to_string().chars().take(80).collect();
                    self.page.error(place, expected, found);
                }
            }
        }
        let source = self.source;
        let own = listing(self.server());
        for item in taken {
            super::cmdlets::add(own, item, source);
        }
        own.looks = vec![Look { source, complete }];
    }

    fn text(&self, item: &Value, key: &str) -> Observed<String> {
        match item.get(key) {
            None => Observed::default(),
            Some(value) => Observed::looked(
                value.as_str().filter(|text| !text.is_empty()).map(str::to_owned),
                self.source,
            ),
        }
    }

    fn flag(&self, item: &Value, key: &str) -> Observed<bool> {
        item.get(key)
            .and_then(Value::as_bool)
            .map_or_else(Observed::default, |flag| Observed::seen(flag, self.source))
    }

    fn number<T: TryFrom<i64>>(&self, item: &Value, key: &str) -> Observed<T> {
        let number = item
            .get(key)
            .and_then(Value::as_i64)
            .and_then(|number| T::try_from(number).ok());
        number.map_or_else(Observed::default, |number| Observed::seen(number, self.source))
    }

    fn time(&self, item: &Value, key: &str) -> Observed<Timestamp> {
        let time = item
            .get(key)
            .and_then(Value::as_str)
            .and_then(|time| time.parse().ok());
        time.map_or_else(Observed::default, |time| Observed::seen(time, self.source))
    }

    fn thumbprint(&mut self, item: &Value, key: &str, place: &str) -> Observed<Thumbprint> {
        match item.get(key) {
            None => Observed::default(),
            Some(Value::Null) => Observed::absent(self.source),
            Some(value) => match value.as_str().unwrap_or_default().parse() {
                Ok(thumbprint) => Observed::seen(thumbprint, self.source),
                Err(error) => {
                    let error: exseal_model::ThumbprintError = error;
                    self.page.error(
                        format!("{place}.{key}"),
                        "a thumbprint of 40 hex digits",
                        error.to_string(),
                    );
                    Observed::unknown(format!("{key} is no thumbprint"))
                }
            },
        }
    }

    fn store(&mut self, name: &str, items: &[Value]) {
        let store = match name {
            "My" => Store::My,
            "REQUEST" => Store::Request,
            "Root" => Store::Root,
            "CA" => Store::CA,
            "WebHosting" => Store::WebHosting,
            other => {
                let found = other.to_owned();
                return self.page.error(
                    "exseal.arguments.Name",
                    "My, REQUEST, Root, CA or WebHosting",
                    found,
                );
            }
        };
        let take: fn(&mut Self, &Value, &str) -> Result<StoreEntry, &'static str> = Self::entry;
        match store {
            Store::My => self.list(items, take, |server| &mut server.my),
            Store::Request => self.list(items, take, |server| &mut server.request),
            Store::Root => self.list(items, take, |server| &mut server.root),
            Store::CA => self.list(items, take, |server| &mut server.ca),
            Store::WebHosting => self.list(items, take, |server| &mut server.web_hosting),
        }
    }

    fn entry(&mut self, item: &Value, place: &str) -> Result<StoreEntry, &'static str> {
        use base64::Engine as _;
        let der = item["der"].as_str().ok_or("a certificate with der")?;
        let der = base64::engine::general_purpose::STANDARD
            .decode(der)
            .map_err(|_| "base64 in der")?;
        let thumbprint = self.page.keep(&der, place).ok_or("an X.509 certificate in der")?;
        let mut entry = StoreEntry::new(thumbprint);
        entry.friendly_name = self.text(item, "friendlyName");
        entry.has_private_key = self.flag(item, "hasPrivateKey");
        let key = &item["key"];
        if key.is_object() {
            match key["error"].as_str() {
                Some(error) => {
                    let why = format!("the key could not be opened there: {error}");
                    entry.key_provider = Observed::unknown(why.clone());
                    entry.key_readers = Observed::unknown(why);
                }
                None => {
                    entry.key_provider = self.text(key, "provider");
                    entry.key_provider_type = self.number(key, "providerType");
                    entry.key_spec = self.number(key, "keySpec");
                    entry.private_key_exportable = self.flag(key, "exportable");
                    if let Some(readers) = key["readers"].as_array() {
                        let readers = readers
                            .iter()
                            .filter_map(Value::as_str)
                            .map(str::to_owned)
                            .collect();
                        entry.key_readers = Observed::seen(readers, self.source);
                    }
                }
            }
        }
        Ok(entry)
    }

    fn http_sys(&mut self, item: &Value, place: &str) -> Result<HttpSysEntry, &'static str> {
        let text = item["endpoint"].as_str().ok_or("an entry with endpoint")?;
        let endpoint = if item["sni"].as_bool() == Some(true) {
            let (host, port) = text.rsplit_once(':').ok_or("host:port in endpoint")?;
            let port = port.parse().map_err(|_| "a port in endpoint")?;
            Endpoint {
                address: "*".to_owned(),
                port,
                host: host.to_ascii_lowercase(),
            }
        } else {
            text.parse().map_err(|_| "address:port in endpoint")?
        };
        let mut entry = HttpSysEntry::new(endpoint);
        entry.thumbprint = self.thumbprint(item, "thumbprint", place);
        entry.store = self.text(item, "store");
        entry.app_id = self.text(item, "appId");
        entry.negotiate_client_certificate = self.flag(item, "negotiateClientCertificate");
        Ok(entry)
    }

    fn web_site(&mut self, item: &Value, place: &str) -> Result<WebSite, &'static str> {
        let mut site = WebSite::new(item["name"].as_str().ok_or("a site with name")?.to_owned());
        site.id = self.number(item, "id");
        site.state = self.text(item, "state");
        for (at, one) in item["bindings"]
            .as_array()
            .ok_or("a site with bindings")?
            .iter()
            .enumerate()
        {
            let place = format!("{place}.bindings[{at}]");
            let (Some(protocol), Some(information)) =
                (one["protocol"].as_str(), one["bindingInformation"].as_str())
            else {
                self.page.error(
                    place,
                    "a binding with protocol and bindingInformation",
                    one.to_string(),
                );
                continue;
            };
            let mut binding = SiteBinding::new(protocol.to_owned(), information.to_owned());
            binding.thumbprint = self.thumbprint(one, "certificateHash", &place);
            binding.store = self.text(one, "certificateStoreName");
            binding.ssl_flags = self.number(one, "sslFlags");
            super::cmdlets::add(&mut site.bindings, binding, self.source);
        }
        if site.bindings.is_unknown() {
            site.bindings.looks.push(Look {
                source: self.source,
                complete: true,
            });
        }
        Ok(site)
    }

    fn app_pool(&mut self, item: &Value, _: &str) -> Result<AppPool, &'static str> {
        let mut pool = AppPool::new(item["name"].as_str().ok_or("a pool with name")?.to_owned());
        pool.state = self.text(item, "state");
        Ok(pool)
    }

    fn service(&mut self, item: &Value, _: &str) -> Result<WindowsService, &'static str> {
        let mut service = WindowsService::new(item["name"].as_str().ok_or("a service with name")?.to_owned());
        service.status = self.text(item, "state");
        // WMI says Auto where Get-Service says Automatic.
        let start = item["startMode"]
            .as_str()
            .map(|mode| if mode == "Auto" { "Automatic" } else { mode });
        service.start_type = Observed::looked(start.map(str::to_owned), self.source);
        Ok(service)
    }

    fn event(&mut self, item: &Value, _: &str) -> Result<CertificateEvent, &'static str> {
        let provider = item["provider"]
            .as_str()
            .ok_or("an event with provider")?
            .to_owned();
        let id = item["id"]
            .as_u64()
            .and_then(|id| u32::try_from(id).ok())
            .ok_or("an event with id")?;
        let mut event = CertificateEvent::new(provider, id);
        event.count = self.number(item, "count");
        event.last = self.time(item, "last");
        if let Some(values) = item["values"].as_array() {
            event.values = Observed::seen(
                values
                    .iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
                self.source,
            );
        }
        Ok(event)
    }

    fn task(&mut self, item: &Value, _: &str) -> Result<ScheduledTask, &'static str> {
        let mut task = ScheduledTask::new(item["path"].as_str().ok_or("a task with path")?.to_owned());
        task.action = self.text(item, "action");
        task.enabled = self.flag(item, "enabled");
        task.last_run = self.time(item, "lastRun");
        task.next_run = self.time(item, "nextRun");
        Ok(task)
    }

    fn log_line(&mut self, item: &Value, _: &str) -> Result<LogLine, &'static str> {
        let file = item["file"].as_str().ok_or("a line with file")?.to_owned();
        let number = item["line"]
            .as_u64()
            .and_then(|line| u32::try_from(line).ok())
            .ok_or("a line with its number")?;
        let mut line = LogLine::new(file, number);
        line.text = self.text(item, "text");
        Ok(line)
    }

    fn disk(&mut self, item: &Value, _: &str) -> Result<Disk, &'static str> {
        let mut disk = Disk::new(item["name"].as_str().ok_or("a volume with name")?.to_owned());
        disk.free_bytes = self.number(item, "freeBytes");
        disk.size_bytes = self.number(item, "sizeBytes");
        Ok(disk)
    }

    fn clock(&mut self, items: &[Value]) {
        let Some(item) = items.first() else { return };
        let (clock, zone) = (self.time(item, "utc"), self.text(item, "timeZone"));
        let offset = self.number(item, "utcOffsetMinutes");
        let server = self.server();
        (server.clock, server.time_zone, server.utc_offset_minutes) = (clock, zone, offset);
    }

    fn build(&mut self, items: &[Value]) {
        let Some(item) = items.first() else { return };
        let build = match item["exsetup"].as_str() {
            None => Observed::absent(self.source),
            Some(text) => match text.parse() {
                Ok(build) => Observed::seen(build, self.source),
                Err(error) => {
                    let error: exseal_model::build::BuildError = error;
                    self.page
                        .error("result[0].exsetup", "a file version", error.to_string());
                    Observed::unknown("the file version could not be read")
                }
            },
        };
        let windows = self.text(item, "windows");
        let controller = self.flag(item, "domainController");
        let restart = self.flag(item, "restartPending");
        let server = self.server();
        server.setup_build = build;
        server.windows = windows;
        server.domain_controller = controller;
        server.restart_pending = restart;
    }

    fn registry(&mut self, items: &[Value]) {
        let Some(item) = items.first() else { return };
        let source = self.source;
        let is_one = |key: &str| item.get(key).map(|value| value.as_str() == Some("1"));
        let (root, ecc) = (
            is_one("disableRootAutoUpdate"),
            is_one("enableEccCertificateSupport"),
        );
        let server = self.server();
        server.root_auto_update_disabled =
            root.map_or_else(Observed::default, |on| Observed::seen(on, source));
        server.ecc_support_in_registry = ecc.map_or_else(Observed::default, |on| Observed::seen(on, source));
    }
}
