#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible's module for sandboxes of virt-sandbox. It decides what is to be done and has virt-sandbox-service do it."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: virt_sandbox
short_description: Manage containers of virt-sandbox
description:
  - Makes, changes, starts, stops and deletes sandboxes, as C(virt-sandbox-service) does.
  - What a sandbox is comes from I(config), or from I(units), I(command) and I(options) when it is made, or for an instance
    such as C(web@a) from its template.
requirements:
  - virt-sandbox on the managed host, and root there
options:
  name:
    description: The sandbox, C(NAME), or C(TEMPLATE@INSTANCE).
    type: str
    required: true
  state:
    description:
      - C(present) has it be there, whether it runs or not.
      - C(started), C(stopped) and C(restarted) have it be there too.
      - C(absent) stops it and deletes it with its content.
    type: str
    choices: [present, absent, started, stopped, restarted]
    default: present
  config:
    description:
      - The whole text of its config, as virt-sandbox.config(5) has it, which is written where it differs. Its first start
        makes the content.
      - A sandbox that runs goes on as it was until it is restarted; notify a handler for that.
    type: str
  units:
    description: The units that it runs, where it has to be made. One that is there stays as it is.
    type: list
    elements: str
  command:
    description: The command that it runs, word by word, where it has to be made.
    type: list
    elements: str
  options:
    description: Options of C(virt-sandbox-service create) where it has to be made, one word each.
    type: list
    elements: str
    default: []
  enabled:
    description: Whether it starts with the host.
    type: bool
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: A web server of its own
  virt_sandbox:
    name: web1
    units: [apache2]
    options: [-N, "dhcp,source=default"]
    state: started
    enabled: true

- name: One whose config is managed
  virt_sandbox:
    name: job1
    config: "{{ lookup('file', 'job1.sandbox') }}"
    state: started
  notify: restart job1

- name: Three instances of the template web@.sandbox
  virt_sandbox:
    name: "web@{{ item }}"
    state: started
  loop: [a, b, c]

- name: One that is not wanted any more
  virt_sandbox:
    name: web1
    state: absent
"""

RETURN = r"""
status:
  description: What C(virt-sandbox-service list --json) says of the sandbox in the end; in check mode, before.
  type: dict
  returned: when it is there
"""

import json
import os
import shutil
import tempfile

from ansible.module_utils.basic import AnsibleModule

DIR = os.environ.get("VIRT_SANDBOX_CONFIG_DIR", "/etc/libvirt-sandbox/services")
RUNNING = ("running", "degraded", "done")


class Sandbox(object):
    """A sandbox of the managed host, and what the task asks of it."""

    def __init__(self, module):
        self.module = module
        self.asked = module.params
        self.name = module.params["name"]
        self.program = module.get_bin_path("virt-sandbox-service", True, ["/usr/local/bin"])
        self.file = os.path.join(DIR, self.name + ".sandbox")
        self.changed = False
        self.diff = []

    def call(self, verb, *args, **how):
        """Has a verb tell in JSON what it did. Its first line of standard error is why it failed, others are warnings."""
        command = [self.program, verb, "--json"] + list(args)
        status, out, err = self.module.run_command(command, environ_update=how.get("environment"))
        lines = [line.replace("virt-sandbox-service: ", "", 1) for line in err.splitlines() if line.strip()]
        try:
            told = json.loads(out) if out.strip() else []
        except ValueError:
            self.module.fail_json(msg="%s: it printed no JSON" % " ".join(command), rc=status, stdout=out, stderr=err)
        if status != 0 and not how.get("may_fail"):
            why = "\n".join(lines) or "exit status %d" % status
            self.module.fail_json(msg=how.get("explain", lambda text: text)(why), rc=status, cmd=command)
        if status == 0:
            for line in lines:
                self.module.warn(line)
        return status, told, lines

    def look(self):
        """Returns what list says of the sandbox; None where it is not there."""
        status, rows, lines = self.call("list", self.name, may_fail=True)
        if not rows:
            return None
        row = rows[0]
        if row["state"] == "unknown":
            self.module.fail_json(msg="\n".join(lines), rc=status)
        if row["state"] == "masked":
            self.module.fail_json(msg="%s is masked: %s" % (self.name, row.get("error", "")))
        return row

    def note(self, before, after, header=""):
        """Notes a change, for --diff."""
        self.changed = True
        self.diff.append({"before": before, "after": after, "before_header": header, "after_header": header})

    def note_state(self, before, after, key="state"):
        self.note("%s: %s\n" % (key, before), "%s: %s\n" % (key, after), self.name)

    def carry_out(self, verb):
        if not self.module.check_mode:
            self.call(verb, self.name)

    # What it is

    def make(self):
        """Makes one that is not there by options or a template."""
        args = list(self.asked["options"])
        for unit in self.asked["units"] or []:
            args += ["--unit", unit]
        template, at, instance = self.name.partition("@")
        if not args and not self.asked["command"]:
            if not (at and instance):
                return self.be_missing()
            args = ["--template", template + at]
        args.append(self.name)
        if self.asked["command"]:
            args += ["--"] + self.asked["command"]
        planned = self.call("create", "--print-config", *args)[1]
        if not self.module.check_mode:
            self.call("create", *args)
        self.note("", planned[0].get("text", ""), planned[0].get("config", ""))
        self.note_state("absent", "present")

    def be_missing(self):
        """Fails for one that nothing says how to make. In check mode a task before, as that of a handler, may make it."""
        why = "%s does not exist: say what it is by config, units or command" % self.name
        if not self.module.check_mode:
            self.module.fail_json(msg=why)
        self.module.warn(why)

    def write(self, there):
        """Has the config say what it shall."""
        text = self.asked["config"].rstrip("\n") + "\n"
        before = ""
        if os.path.islink(self.file):
            self.module.fail_json(msg="%s is a link; manage %s" % (self.file, os.path.realpath(self.file)))
        if os.path.exists(self.file):
            with open(self.file, "rb") as f:
                before = f.read().decode("utf-8", "replace")
        if before == text:
            return
        self.judge(text)
        if not self.module.check_mode:
            self.replace(text)
        self.note(before, text, self.file)
        if not there:
            self.note_state("absent", "present")

    def judge(self, text):
        """Fails where a config could not be used, with all that is wrong with it and its drop-ins."""
        place = tempfile.mkdtemp(dir=self.module.tmpdir)
        try:
            for entry in os.listdir(DIR) if os.path.isdir(DIR) else []:
                if entry.endswith("sandbox.d"):
                    os.symlink(os.path.join(DIR, entry), os.path.join(place, entry))
            with open(os.path.join(place, self.name + ".sandbox"), "wb") as f:
                f.write(text.encode("utf-8"))
            self.call("show", self.name, environment={"VIRT_SANDBOX_CONFIG_DIR": place},
                      explain=lambda why: why.replace(place, DIR))
        finally:
            shutil.rmtree(place)

    def replace(self, text):
        """Writes the config in one step, for root alone where its variables may be secrets."""
        if not os.path.isdir(DIR):
            os.makedirs(DIR, 0o755)
        descriptor, new = tempfile.mkstemp(dir=self.module.tmpdir)
        with os.fdopen(descriptor, "wb") as f:
            f.write(text.encode("utf-8"))
        secret = any(line.strip() == "[environment]" for line in text.splitlines())
        os.chmod(new, 0o600 if secret else 0o644)
        self.module.atomic_move(new, self.file)
        if os.path.isdir("/run/systemd/system"):
            self.module.run_command([self.module.get_bin_path("systemctl", True), "daemon-reload"], check_rc=True)

    # What becomes of it

    def be_absent(self, there):
        if there is None:
            return
        if there["state"] in RUNNING + ("starting", "stopping"):
            self.carry_out("stop")
        if not self.module.check_mode:
            self.call("delete", "--ignore", self.name)
        self.note_state("present", "absent")

    def be_present(self, there):
        if self.asked["config"] is not None:
            self.write(there)
        elif there is None:
            self.make()
        if not self.module.check_mode:
            there = self.look()
        self.be_enabled(there)
        self.be_in_state((there or {}).get("state", "stopped"))

    def be_enabled(self, there):
        is_so, asked = bool((there or {}).get("enabled")), self.asked["enabled"]
        if asked is None or asked == is_so:
            return
        self.carry_out("enable" if asked else "disable")
        self.note_state(is_so, asked, "enabled")

    def be_in_state(self, state):
        runs, asked = state in RUNNING, self.asked["state"]
        if asked == "restarted":
            self.carry_out("restart")
            self.note_state("present", asked)
        elif asked == "started" and not runs:
            self.carry_out("start")
            self.note_state(state, asked)
        elif asked == "stopped" and state != "stopped":
            self.carry_out("stop")
            self.note_state(state, asked)


def main():
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "default": "present",
                      "choices": ["present", "absent", "started", "stopped", "restarted"]},
            "config": {"type": "str"},
            "units": {"type": "list", "elements": "str"},
            "command": {"type": "list", "elements": "str"},
            "options": {"type": "list", "elements": "str", "default": []},
            "enabled": {"type": "bool"},
        },
        mutually_exclusive=[("config", "units", "command")],
        supports_check_mode=True,
    )
    sandbox = Sandbox(module)
    there = sandbox.look()
    if module.params["state"] == "absent":
        sandbox.be_absent(there)
    else:
        sandbox.be_present(there)
    result = {"changed": sandbox.changed, "name": sandbox.name, "diff": sandbox.diff}
    there = sandbox.look() if sandbox.changed and not module.check_mode else there
    if there is not None:
        result["status"] = there
    module.exit_json(**result)


if __name__ == "__main__":
    main()
