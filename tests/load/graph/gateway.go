package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// policyRules is how many rules the gateway's policy has.
const policyRules = 1000

// A gateway is a modgate as it is run in a company: TLS, tokens, a policy, an audit journal, verification.
type gateway struct {
	*process
	dir, url, token string
}

// startGateway starts one with an empty store in a new directory. Upstream and checksum database are as the go command
// would take them, if they are empty.
func startGateway(modgate, dir string, identity *identity, upstream, database string) (*gateway, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	g := &gateway{dir: dir, url: fmt.Sprintf("https://localhost:%d", port)}
	config := filepath.Join(dir, "modgate.toml")
	if err := os.WriteFile(config, []byte(g.config(port, identity, upstream, database)), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "policy.csv"), policy(), 0o600); err != nil {
		return nil, err
	}
	token, err := exec.Command(modgate, "token", "create", "graph", "--config", config).Output()
	if err != nil {
		return nil, fmt.Errorf("modgate token create: %w", err)
	}
	g.token = strings.TrimSpace(string(token))
	g.process, err = start(filepath.Join(dir, "modgate.log"), port, modgate, "serve", "--config", config)
	return g, err
}

func (g *gateway) config(port int, identity *identity, upstream, database string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "data = %q\npublic_url = %q\n", filepath.Join(g.dir, "data"), g.url)
	fmt.Fprintf(&text, "[listen]\naddress = \"127.0.0.1:%d\"\n[admin]\naddress = \"off\"\n", port)
	fmt.Fprintf(&text, "[tls]\ncertificate = %q\nkey = %q\n", identity.certificate, identity.key)
	fmt.Fprintf(&text, "[policy]\nfiles = [%q]\n[log]\nlevel = \"warn\"\n", filepath.Join(g.dir, "policy.csv"))
	if upstream != "" {
		fmt.Fprintf(&text, "[upstream]\nlist = %q\nroots = %q\n", upstream, identity.authority)
	}
	if database != "" {
		fmt.Fprintf(&text, "[[checksum]]\nkey = %q\n", database)
	}
	return text.String()
}

// discard ends the gateway and removes all that it has stored.
func (g *gateway) discard() error {
	g.stop()
	return os.RemoveAll(g.dir)
}

// policy allows what is public, and denies what nobody asks for, among the hosts and owners that the graph has.
func policy() []byte {
	rules := []byte("p, authenticated, public, *, read, allow, -, id=public\n")
	for n := 1; n < policyRules; n++ {
		rules = fmt.Appendf(rules, "p, authenticated, github.com/graph-denied-%03d/*, *, *, deny, -, id=DENY-%03d\n", n, n)
	}
	return rules
}
