package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience is how long a server may take to listen.
const patience = 30 * time.Second

// A process is a server that runs for us.
type process struct {
	command *exec.Cmd
	log     string
}

// start starts a server and waits until it listens on a port of 127.0.0.1. What it prints goes to a file.
func start(log string, port int, name string, arguments ...string) (*process, error) {
	output, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer output.Close()
	command := exec.Command(name, arguments...)
	command.Stdout, command.Stderr = output, output
	// Whatever ends this program ends the server.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := command.Start(); err != nil {
		return nil, err
	}
	server := &process{command, log}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if connection, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			connection.Close()
			return server, nil
		}
	}
	text, _ := os.ReadFile(log)
	server.stop()
	return nil, fmt.Errorf("%s does not listen on port %d:\n%s", name, port, last(string(text), 20))
}

// stop asks the server to end and waits until it has.
func (p *process) stop() {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	_ = p.command.Wait()
}

// cpu is what the process and its children (nginx has its workers there) have used so far.
func (p *process) cpu() time.Duration {
	pids := []string{strconv.Itoa(p.command.Process.Pid)}
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%[1]s/task/%[1]s/children", pids[0]))
	var ticks int
	for _, pid := range append(pids, strings.Fields(string(children))...) {
		stat, _ := os.ReadFile("/proc/" + pid + "/stat")
		// After the name in brackets; user and system time are the 12th and 13th field from there.
		_, after, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(after); len(fields) > 13 {
			user, _ := strconv.Atoi(fields[11])
			system, _ := strconv.Atoi(fields[12])
			ticks += user + system
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// freePort finds a port that nobody listens on.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
