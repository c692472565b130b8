"""What README.md tells a user to type and to write is typed and written here, so that it cannot rot.

A comment in front of each code block says what becomes of it:

    run              a shell runs it
    start: NAME      the same, in the background, until the test ends
    file: PATH       it is written there
    check: KIND      `tws check --KIND` likes it
    part: client     the same, with a key and a forward added
    from: PATH       its lines stand in that file of the repository, in this order
    elsewhere: PATH  that program does what it says

Paths, ports and the host's name are replaced by ours; nothing else is."""
import os
import re
import shlex

import tws_e2e
from tws_e2e import ROOT, Case, free_port, make_certificate

DOCUMENTS = ("README.md", "docs/operations.md", "docs/uplinks.md")
BLOCK = re.compile(r"(?:^<!-- (\w+)(?:: (\S+))? -->\n)?^```(\w*)\n(.*?)^```$", re.M | re.S)


def blocks(document):
    """(action, its argument, language, text) of each code block."""
    with open(os.path.join(ROOT, document), encoding="utf-8") as file:
        return [match.groups() for match in BLOCK.finditer(file.read())]


def answer_http(peer):
    """A web page for whoever asks."""
    peer.recv(4096)
    peer.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")


class Readme(Case):
    def setUp(self):
        super().setUp()
        self.page = self.service(answer_http)
        self.server_port, self.local_port = free_port(), free_port()
        self.nginx = self.start_nginx(self.server_port)
        self.ours = {"/etc/tws": os.path.join(self.folder, "etc"), "127.0.0.1:5202": f"127.0.0.1:{self.server_port}",
                     "127.0.0.1:8080": f"127.0.0.1:{self.local_port}", "127.0.0.1:80": f"127.0.0.1:{self.page.port}",
                     "wss://example.com/": f"wss://localhost:{self.nginx.port}/"}
        self.env = dict(os.environ, SSL_CERT_FILE=self.nginx.certificate,
                        PATH=f"{os.path.dirname(tws_e2e.TWS)}:{os.environ['PATH']}")

    def adapt(self, text):
        pattern = "|".join(re.escape(theirs) + (r"\b" if theirs[-1].isdigit() else "") for theirs in self.ours)
        return re.sub(pattern, lambda match: self.ours[match.group(0)], text)

    def shell(self, text):
        return self.run_program("sh", "-ec", self.adapt(text), env=self.env, cwd=self.folder)

    def start_block(self, name, text):
        words = shlex.split(self.adapt(text))
        self.assertEqual(words[0], "tws")
        return self.start_tws(name, *words[1:], env=self.env).wait_ready()

    def test_the_five_minute_start_works_as_written(self):
        said = ""
        for action, argument, _, text in blocks("README.md"):
            if action == "run":
                said = self.shell(text)
            elif action == "start":
                process = self.start_block(argument, text)
                self.assertNotRegex(process.log, r"(?i)\bwarn")
                if argument == "client":
                    process.wait_told("STATUS=2 of 2 links up.*")
            elif action == "file":
                self.write(os.path.relpath(self.adapt(argument), self.folder), self.adapt(text), 0o644)
        self.assertEqual(said, "hello\n")

    def test_what_systemd_is_to_read_is_right(self):
        credentials = os.path.join(self.folder, "credentials")
        os.mkdir(credentials)
        self.shell(next(text for action, _, _, text in blocks("README.md") if action == "run"))
        for name, source in (("keys.yaml", "main.keys.yaml"), ("key", "home.key")):
            os.rename(os.path.join(self.folder, "etc", source), os.path.join(credentials, name))
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
            lines = re.findall(r"`(keys?_file: \$CREDENTIALS_DIRECTORY/\S+)`", file.read())
        self.assertEqual(len(lines), 2)
        for argument, line in zip(("main.yaml", "home.yaml"), lines):
            text = next(text for action, path, _, text in blocks("README.md") if path == f"/etc/tws/{argument}")
            text = re.sub(r"^keys?_file: .*", lambda _, line=line: line, self.adapt(text), flags=re.M)
            code, _, errors = self.run_tws("check", self.write(argument, text),
                                           env=dict(self.env, CREDENTIALS_DIRECTORY=credentials))
            self.assertEqual((code, errors), (0, ""))


class Blocks(Case):
    def test_every_block_is_accounted_for(self):
        for document in DOCUMENTS:
            for action, argument, language, text in blocks(document):
                with self.subTest(document=document, text=text[:60]):
                    if language == "":
                        continue
                    self.assertIn(action, ("run", "start", "file", "check", "part", "from", "elsewhere"))
                    if action in ("from", "elsewhere"):
                        self.assertTrue(os.path.exists(os.path.join(ROOT, argument)), argument)

    def test_examples_of_configuration_are_valid(self):
        key_file, user_key = self.keygen()
        keys_file = self.write("keys.yaml", f"users:\n  - {{name: u, key: {user_key}, allow: []}}\n")
        certificate, key = make_certificate(self.folder)
        count = 0
        for document in DOCUMENTS:
            for action, kind, _, text in blocks(document):
                if action not in ("check", "part"):
                    continue
                count += 1
                if action == "part":
                    text += "key_file: x\nlisten: 127.0.0.1:1\nremote: 127.0.0.1:2\n"
                text = re.sub(r"^(key_file: ).*", rf"\g<1>{key_file}", text, flags=re.M)
                text = re.sub(r"^(keys_file: ).*", rf"\g<1>{keys_file}", text, flags=re.M)
                for theirs, ours in (("fullchain.pem", certificate), ("privkey.pem", key)):
                    text = text.replace(f"/etc/ssl/tws/{theirs}", ours)
                code, _, errors = self.run_tws("check", f"--{kind}", self.write(f"{kind}-{count}.yaml", text))
                self.assertEqual(code, 0, errors)
        self.assertGreaterEqual(count, 2)

    def test_quotations_are_exact(self):
        quoted = 0
        for document in DOCUMENTS:
            for action, path, _, text in blocks(document):
                if action != "from":
                    continue
                with open(os.path.join(ROOT, path), encoding="utf-8") as file:
                    lines = iter(file.read().splitlines())
                for line in text.splitlines():
                    self.assertTrue(any(line == theirs for theirs in lines), f"{path} has no such line: {line}")
                quoted += 1
        self.assertGreaterEqual(quoted, 1)


class Log(Case):
    def test_every_event_that_can_be_logged_is_explained_and_no_other(self):
        logged = set()
        for folder, _, names in os.walk(os.path.join(ROOT, "src")):
            for name in names:
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    logged |= set(re.findall(r'log\w*\(\s*(?:d, )?(?:TWS_LOG_(?:ERROR|WARN|INFO)|level|c->audit_level),\s*"([^"]+)"',
                                             file.read()))
        with open(os.path.join(ROOT, "docs", "operations.md"), encoding="utf-8") as file:
            table = file.read().split("## The log")[1].split("The audit line")[0]
        explained = set()
        for row in re.findall(r"^\| (`.*?) \|", table, re.M):
            explained |= set(re.findall(r"`([^`]+)`", row))
        self.assertGreater(len(logged), 20)
        self.assertEqual(explained, logged)
