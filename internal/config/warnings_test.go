package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// warned loads text with the real compiler from a file of the mode, and
// returns the warnings without the file's name.
func warned(t *testing.T, text string, mode os.FileMode) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "engage.yaml")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return lines(cfg, path)
}

func lines(cfg *Config, path string) (lines []string) {
	for _, w := range cfg.Warnings() {
		lines = append(lines, strings.TrimPrefix(w.String(), path+":"))
	}
	return lines
}

// TestNoWarning: what the project itself shows and runs gives none, even as a
// file that everybody may read.
func TestNoWarning(t *testing.T) {
	for _, path := range []string{"../../docs/engage.example.yaml", "../../cmd/engage-worker/starter.yaml", "../../deploy/compose/engage.yaml", "../../deploy/kubernetes/engage.yaml"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := (&loader{skipEnv: true, compile: compileDefinition}).parse(path, text, 0o644)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		} else if lines := lines(cfg, path); lines != nil {
			t.Errorf("%s: %q", path, lines)
		}
	}
}

func TestWarnings(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"space": "x ", "breaks": "x\n\n", "bom": "\ufeffx", "good": "x\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("TRAILING", "x\n")
	t.Setenv("REGION", "us-west2")
	const settings = "twilioAccountSID: AC1, twilioApiKeySID: SK1, twilioApiKeySecret: "
	mapping := func(fields string) string {
		return "destinations:\n- name: a\n  settings: {" + settings + "\"${file:" + dir + "/good}\"}\n  actions:\n  - name: x\n    type: sendSms\n    mapping:\n      " + fields + "\n"
	}
	secret := func(value string) string {
		return "destinations:\n- name: a\n  settings: {" + settings + "\"" + value + "\"}\n  actions: [{name: x, type: sendSms, mapping: {from: MG1, body: hi}}]\n"
	}
	for _, test := range []struct {
		name, text string
		mode       os.FileMode
		want       []string
	}{
		{"a root that there isn't", mapping("from: MG1\n      body: \"Hi {{ profile.first_name }} {{ traits.x }}\""), 0o600, []string{
			"9:13: warning: destinations[0].actions[0].mapping.body: profile.first_name is empty for every event: a template has profile.phone, profile.traits, profile.user_id only; write profile.traits.first_name for a trait",
			"9:13: warning: destinations[0].actions[0].mapping.body: traits.x is empty for every event: a template has profile.phone, profile.traits, profile.user_id only; write profile.traits.x for a trait",
		}},
		{"an age that the ledger doesn't remember", "delivery: {maxEventAge: 8d}\n" + mapping("from: MG1\n      body: hi"), 0o600, []string{
			"1:25: warning: delivery.maxEventAge: the ledger remembers a delivery for 7d, so that an older event, which delivery.maxEventAge allows, is sent again when it comes again; raise ledger.retention, or lower delivery.maxEventAge",
		}},
		{"an age that it does", "delivery: {maxEventAge: 8d}\nledger: {retention: 8d}\n" + mapping("from: MG1\n      body: hi"), 0o600, nil},
		{"a profile in a directive", mapping("from: MG1\n      body: {\"@template\": \"Hi {{profile.traits.x}}\"}"), 0o600, []string{
			"9:27: warning: destinations[0].actions[0].mapping.body.@template: profile is empty for every event: a directive reads the event, which has none; write properties.NAME or traits.NAME here, or the template without @template",
		}},
		{"a profile in a template of the event", mapping("from: MG1\n      body: {\"@liquid\": \"Hi {{ profile.traits.x }}{{ properties.y }}\"}"), 0o600, []string{
			"9:25: warning: destinations[0].actions[0].mapping.body.@liquid: profile is empty for every event: a directive reads the event, which has none; write properties.NAME or traits.NAME here, or the template without @liquid",
		}},
		{"what is no sender", mapping("from: AC00000000000000000000000000000000\n      body: hi"), 0o600, []string{
			"8:13: warning: destinations[0].actions[0].mapping.from: AC... is the SID of an account, which sends nothing; give a number (+15551234567), a short code or a messaging service (MG...)",
		}},
		{"one character", mapping("from: MG1\n      body: \"It’s here, {{profile.traits.x}}\""), 0o600, []string{
			"9:13: warning: destinations[0].actions[0].mapping.body: ’ (character 3) makes the SMS UCS-2, with 70 characters a segment instead of 160: 1 segment either way, not counting what variables hold; write \"'\" in its place",
		}},
		{"one character that costs", mapping("from: MG1\n      body: \"" + strings.Repeat("x", 100) + "🎉\""), 0o600, []string{
			"9:13: warning: destinations[0].actions[0].mapping.body: 🎉 (character 101) makes the SMS UCS-2, with 70 characters a segment instead of 160: 2 segments instead of 1; leave it out, if it isn't worth that",
		}},
		{"another language", mapping("from: MG1\n      body: \"Привет\""), 0o600, nil},
		{"a comment that may be none", mapping("from: MG1\n      body: Hi #1 fan"), 0o600, []string{
			"9:13: warning: destinations[0].actions[0].mapping.body: the value ends before \"#1\", which YAML takes for a comment; put the value in quotes if that belongs to it",
		}},
		{"a trigger that can't be true", "destinations:\n- name: a\n  settings: {" + settings + "\"${file:" + dir + "/good}\"}\n  actions: [{name: x, type: sendSms, trigger: 'type = \"Track\"', mapping: {from: MG1, body: hi}}]\n", 0o600, []string{
			"4:47: warning: destinations[0].actions[0].trigger: " + `type = "Track" can't be true; ` + "preview --explain shows what decides for an event",
		}},
		{"a secret's file with a space", secret("${file:" + dir + "/space}"), 0o600, []string{
			"3:79: warning: destinations[0].settings.twilioApiKeySecret: what ${file:" + dir + "/space} holds ends in a space, which belongs to the value; take it out there",
		}},
		{"a secret's file with two line breaks", secret("${file:" + dir + "/breaks}"), 0o600, []string{
			"3:79: warning: destinations[0].settings.twilioApiKeySecret: what ${file:" + dir + "/breaks} holds ends in more than one line break, which belongs to the value; take it out there",
		}},
		{"a secret's file with a mark", secret("${file:" + dir + "/bom}"), 0o600, []string{
			"3:79: warning: destinations[0].settings.twilioApiKeySecret: what ${file:" + dir + "/bom} holds begins with a byte order mark, which belongs to the value; take it out there",
		}},
		{"a variable with a line break", secret("${TRAILING}"), 0o600, []string{
			"3:79: warning: destinations[0].settings.twilioApiKeySecret: what ${TRAILING} holds ends in a line break, which belongs to the value; take it out there",
		}},
		{"a literal secret that everybody may read", secret("literal"), 0o644, []string{
			"3:79: warning: destinations[0].settings.twilioApiKeySecret: a secret stands in a file that everybody on this machine may read; take it from ${NAME} or ${file:/path}, or chmod o-r the file",
		}},
		{"a literal secret", secret("literal"), 0o600, nil},
		{"a region without an entry", "regions: {us-west-2: {}}\ndestinations:\n- name: a\n  settings: {region: us-west2, " + settings + "\"${file:" + dir + "/good}\"}\n  actions: [{name: x, type: sendSms, mapping: {from: MG1, body: hi, region: elsewhere}}]\n", 0o600, []string{
			"4:22: warning: destinations[0].settings.region: us-west2 has no entry under regions, so that it has the built-in rate of 100; add an entry for it under regions, or did you mean us-west-2?",
			"5:77: warning: destinations[0].actions[0].mapping.region: elsewhere has no entry under regions, so that it has the built-in rate of 100; add an entry for it under regions",
		}},
		{"senders that nobody sends from", "regions: {us-west-2: {senders: {MG1: {rate: 1}, MG2: {rate: 1}}}}\n" + secret("${file:"+dir+"/good}"), 0o600, []string{
			"1:54: warning: regions.us-west-2.senders.MG2: no action sends from MG2, so that its rate holds for nothing; write it as the mapping has it, or take it out",
		}},
		{"senders that events choose", "regions: {us-west-2: {senders: {MG2: {rate: 1}}}}\n" + mapping("from: {\"@path\": \"$.properties.from\"}\n      body: hi") + "", 0o600, nil},
		{"a key's SID", "destinations:\n- name: a\n  settings: {twilioAccountSID: AC1, twilioApiKeySID: AC1, twilioApiKeySecret: \"${file:" + dir + "/good}\"}\n  actions: [{name: x, type: sendSms, mapping: {from: MG1, body: hi}}]\n", 0o600, []string{
			"3:54: warning: destinations[0].settings.twilioApiKeySID: begins with AC, as an account's SID does: that works only with the account's auth token as the secret; give an API key's SID (SK...) and its secret, which can be taken back alone",
		}},
		{"an account's SID", "destinations:\n- name: a\n  settings: {twilioAccountSID: SK1, twilioApiKeySID: SK1, twilioApiKeySecret: \"${file:" + dir + "/good}\"}\n  actions: [{name: x, type: sendSms, mapping: {from: MG1, body: hi}}]\n", 0o600, []string{
			"3:32: warning: destinations[0].settings.twilioAccountSID: begins with SK, as an API key's SID does; give the account's SID (AC...) here, and the key's as twilioApiKeySID",
		}},
	} {
		t.Run(test.name, func(t *testing.T) { equal(t, warned(t, test.text, test.mode), test.want) })
	}
}
