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

// download runs `go mod download` with nothing in the module cache, and says how long it took. What a run before has left
// to be written is written first, and what it downloaded is counted and removed.
func (c *client) download(expected extent) (time.Duration, error) {
	if err := os.RemoveAll(c.home); err != nil {
		return 0, err
	}
	if err := os.MkdirAll(c.home, 0o755); err != nil {
		return 0, err
	}
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
