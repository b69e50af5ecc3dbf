"""The lab's pages in Chromium, as a person opens them by name: the form, the log-on, what comes behind it, and what the browser
says of the certificate before there is any page. Pages are judged by axe-core.

pages.py EXSEAL AXE FOLDER: the program; axe.min.js of axe-core; where screenshots go. Chromium trusts the lab's public CA, as
public CAs are trusted, and nothing else of it. Exits with 1 and the list of what is not so.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from clients import PASSWORD, Lab

NAME = "mail.contoso.com"
failures, held = [], []

# What is behind the form, by story: the address and words of the page; no words: it is blank.
BEHIND = {
    "healthy": ("/owa/", "logged on to EX1"),
    "back-end-deleted": ("/owa/", ""),
    "null-thumbprint-bound": ("/owa/", ""),
    "back-end-expired": ("/owa/", "logged on to EX1"),
    "auth-expired": ("/owa/", "HMACProvider.GetCertificates"),
    "key-in-ksp": ("/owa/auth/logon.aspx", "Outlook"),
}
# What there is instead of a form: words of the page, of the browser's warning about a certificate, or its own error.
INSTEAD = {
    "pool-stopped": "Service Unavailable",
    "old-deleted-too-early": "net::ERR_CONNECTION_RESET",
    "self-signed-on-front-end": "NET::ERR_CERT_AUTHORITY_INVALID",
    "names-missing": "NET::ERR_CERT_COMMON_NAME_INVALID",
    "renewed-not-bound": "NET::ERR_CERT_DATE_INVALID",
    "private-ca-on-front-end": "NET::ERR_CERT_AUTHORITY_INVALID",
    "services-down": "net::ERR_CONNECTION_REFUSED",
}


def hold(condition, words):
    held.append(words)
    if not condition:
        failures.append(words)


class Browser:
    """Chromium with a home of its own, which trusts the lab's public root and finds the lab by name."""

    def __init__(self, lab, axe, folder):
        self.lab, self.axe, self.folder = lab, axe, folder
        home = lab.folder / "home"
        store = home / ".pki" / "nssdb"
        store.mkdir(parents=True)
        roots = tomllib.loads((lab.folder / "connect.toml").read_text())["ca"].encode()
        root = next(one for one in x509.load_pem_x509_certificates(roots) if "Public Root" in one.subject.rfc4514_string())
        file = lab.folder / "root.pem"
        file.write_bytes(root.public_bytes(Encoding.PEM))
        where = ["-d", f"sql:{store}"]
        subprocess.run(["certutil", *where, "-N", "--empty-password"], check=True)
        subprocess.run(["certutil", *where, "-A", "-n", "lab", "-t", "C,,", "-i", str(file)], check=True)
        address, port = lab.at("EX1", 443) or ("127.0.0.1", 1)
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=900,700",
                         f"--user-data-dir={home}/profile", f"--host-resolver-rules=MAP {NAME}:443 {address}:{port}"):
            options.add_argument(argument)
        service = webdriver.ChromeService("/usr/bin/chromedriver", env={**os.environ, "HOME": str(home)})
        self.driver = webdriver.Chrome(options=options, service=service)
        self.driver.set_page_load_timeout(30)

    def open(self, path):
        """The page's text; or the browser's own words when there is none."""
        try:
            self.driver.get(f"https://{NAME}{path}")
        except WebDriverException as error:
            return next((word for word in error.msg.split() if word.startswith("net::")), error.msg)
        return self.text()

    def text(self):
        return self.driver.find_element(By.TAG_NAME, "body").text

    @property
    def path(self):
        return self.driver.current_url.removeprefix(f"https://{NAME}").partition("?")[0]

    def picture(self, name):
        self.driver.save_screenshot(str(self.folder / f"{self.lab.name}-{name}.png"))

    def judged(self, name):
        """A page that has words says what it is, and everybody can use it."""
        text, title = self.text(), self.driver.title
        hold("simulation" in text and "simulation" in title, f"{self.lab.name}, {name}: a simulation, and says {title!r}: {text[:200]!r}")
        over = self.driver.execute_script("const all=document.querySelector('main');return all.scrollWidth-all.clientWidth")
        hold(over <= 0, f"{self.lab.name}, {name}: {over} pixels wider than its frame")
        self.driver.execute_script(self.axe)
        found = self.driver.execute_async_script("const done=arguments[0];axe.run().then(r=>done(r.violations))")
        wrong = [(one["id"], one["nodes"][0]["html"][:120]) for one in found if one["impact"] in ("serious", "critical")]
        hold(not wrong, f"{self.lab.name}, {name}: axe-core says {wrong}")

    def log_on(self, password):
        before = self.driver.find_element(By.TAG_NAME, "html")
        self.driver.find_element(By.NAME, "username").send_keys(r"CONTOSO\admin")
        self.driver.find_element(By.NAME, "password").send_keys(password)
        self.driver.find_element(By.TAG_NAME, "button").click()
        WebDriverWait(self.driver, 20).until(lambda driver: driver.find_element(By.TAG_NAME, "html") != before)
        WebDriverWait(self.driver, 20).until(lambda driver: driver.execute_script("return document.readyState") == "complete")


def behind(browser, name, path, words):
    text = browser.open("/owa/")
    hold("sign in" in text and browser.path == "/owa/auth/logon.aspx", f"{name}: expected the form, found {browser.path} {text[:200]!r}")
    browser.judged("form")
    browser.picture("form")
    browser.log_on(PASSWORD)
    text = browser.text()
    browser.picture("behind")
    fine = words in text and browser.path == path and (words or text == "")
    hold(fine, f"{name}: behind the form expected {path} with {words!r}, found {browser.path} with {text[:200]!r}")
    if words:
        browser.judged("behind")


def healthy(browser):
    browser.driver.delete_all_cookies()
    browser.open("/owa/")
    browser.log_on("wrong")
    hold("isn't correct" in browser.text(), f"a wrong password: {browser.text()[:200]!r}")
    browser.judged("wrong password")
    browser.picture("wrong-password")
    browser.log_on(PASSWORD)
    text = browser.open("/ecp/")
    hold("/ecp" in text and "logged on to EX1" in text, f"the admin centre: {text[:200]!r}")
    text = browser.open("/owa/healthcheck.htm")
    hold(text == "200 OK\nEX1.CONTOSO.LAB", f"the health page: {text!r}")
    text = browser.open("/nowhere")
    hold(text.startswith("404"), f"a page that is not there: {text[:200]!r}")
    browser.judged("404")


def main():
    exseal, axe, folder = sys.argv[1], Path(sys.argv[2]).read_text(encoding="utf-8"), Path(sys.argv[3])
    for name in [*BEHIND, *INSTEAD]:
        # The browser's clock is the machine's.
        with Lab(exseal, folder / "labs-of-pages", name, now=None) as lab:
            browser = Browser(lab, axe, folder)
            try:
                if name in BEHIND:
                    behind(browser, name, *BEHIND[name])
                    if name == "healthy":
                        healthy(browser)
                else:
                    text = browser.open("/owa/")
                    hold(INSTEAD[name] in text, f"{name}: expected {INSTEAD[name]}, found {text[:300]!r}")
                    browser.picture("instead")
            finally:
                browser.driver.quit()
    if failures:
        print("\n".join(failures))
        sys.exit(1)
    print(f"{len(held)} statements by Chromium and axe-core about {len(BEHIND) + len(INSTEAD)} organisations; pictures in {folder}")


main()
