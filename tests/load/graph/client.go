package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A client is a developer's machine: a home and a module cache of its own, and the real go command.
type client struct {
	// Where everything of it is kept.
	home string
	// The main module's directory.
	module      string
	environment []string
}

func (c *client) set(name, value string) {
	c.environment = append(c.environment, name+"="+value)
}

// modcache is its GOMODCACHE.
func (c *client) modcache() string { return filepath.Join(c.home, "modcache") }

// downloads is the GOPROXY tree that its module cache is.
func (c *client) downloads() string { return filepath.Join(c.modcache(), "cache", "download") }

// run runs the go command in the main module.
func (c *client) run(arguments ...string) error {
	command := exec.Command("go", arguments...)
	command.Dir = c.module
	for _, inherited := range os.Environ() {
		if name, _, _ := strings.Cut(inherited, "="); !strings.HasPrefix(name, "GO") && name != "NETRC" {
			command.Env = append(command.Env, inherited)
		}
	}
	command.Env = append(command.Env, "HOME="+c.home, "GOPATH="+filepath.Join(c.home, "go"), "GOMODCACHE="+c.modcache(),
		"GOCACHE="+filepath.Join(c.home, "cache"), "GOENV=off", "GOTOOLCHAIN=local", "GOFLAGS=-modcacherw")
	command.Env = append(command.Env, c.environment...)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(arguments, " "), err, last(string(output), 20))
	}
	return nil
}

// last is the end of a text.
func last(text string, count int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}

// newClient makes a machine that has the main module of a tree and nothing else. The go command adds to the module's go.sum
// what it looked up, so a module that two clients shared would save the second one these requests.
func newClient(home string, t *tree, sums bool) (*client, error) {
	c := &client{home: home, module: filepath.Join(home, "module")}
	if err := os.RemoveAll(home); err != nil {
		return nil, err
	}
	if err := os.CopyFS(c.module, os.DirFS(t.module())); err != nil {
		return nil, err
	}
	if !sums {
		if err := os.Remove(filepath.Join(c.module, "go.sum")); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// download runs `go mod download` and says how long it took. What was left to be written before is written first; what was
// downloaded is counted and removed.
func (c *client) download(expected extent) (time.Duration, error) {
	if err := exec.Command("sync").Run(); err != nil {
		return 0, err
	}
	began := time.Now()
	if err := c.run("mod", "download"); err != nil {
		return 0, err
	}
	took := time.Since(began)
	found, err := extentOf(c.downloads())
	if err == nil && found != expected {
		err = fmt.Errorf("%+v were downloaded, not %+v", found, expected)
	}
	if err != nil {
		return 0, err
	}
	return took, os.RemoveAll(c.home)
}
