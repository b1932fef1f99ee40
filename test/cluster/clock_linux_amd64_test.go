package cluster

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// jumpClocks sets the wall clocks of two nodes five minutes ahead and back, while
// they run. That is no matter of the machine's clock: of these processes alone,
// the function of the kernel that tells the time is replaced.
func jumpClocks(w *world) {
	for i, by := range map[int]time.Duration{1: 5 * time.Minute, 2: -5 * time.Minute} {
		if err := skew(w.nodes[i].alive(w.t).PID(), by); err != nil {
			w.t.Fatal(err)
		}
	}
	w.last()
	// A node that has never known the right time joins them, and one goes.
	w.nodes[0].is(broken)
	w.nodes[0].kill(w.t)
	w.survivorsAgree(w.nodes[1:])
	w.nodes[0].start(w.t)
	w.settle("clocks that jumped")
	for _, n := range w.nodes[1:] {
		if err := skew(n.alive(w.t).PID(), 0); err != nil {
			w.t.Fatal(err)
		}
	}
}

// skew changes the wall clock of a process of the program; its monotonic clock goes
// on. Go asks clock_gettime of the kernel's page in the process, by a pointer. It is
// made to point to a few instructions behind what is in that page, which make the
// system call and add to the seconds of CLOCK_REALTIME.
func skew(pid int, by time.Duration) error {
	pointer, err := symbol("runtime.vdsoClockgettimeSym")
	if err != nil {
		return err
	}
	from, to, err := vdso(pid)
	if err != nil {
		return err
	}
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = memory.Close() }()
	page := make([]byte, to-from)
	if _, err := memory.ReadAt(page, from); err != nil {
		return err
	}
	// Two places, so that what a thread may be executing is never changed.
	places := []int64{to - 128, to - 64}
	place := places[0]
	if bytes.Count(page[len(page)-128:], []byte{0}) < 128 { // one is in use
		current := make([]byte, 8)
		if _, err := memory.ReadAt(current, pointer); err != nil {
			return err
		}
		switch int64(binary.LittleEndian.Uint64(current)) {
		case places[0]:
			place = places[1]
		case places[1]:
		default:
			return errors.New("the kernel's page is full")
		}
	}
	if _, err := memory.WriteAt(clockCode(by), place); err != nil {
		return fmt.Errorf("write to the process: %w", err)
	}
	_, err = memory.WriteAt(binary.LittleEndian.AppendUint64(nil, uint64(place)), pointer)
	return err
}

// clockCode is clock_gettime(clock in EDI, where to in RSI).
func clockCode(by time.Duration) []byte {
	code := []byte{
		0xB8, 0xE4, 0x00, 0x00, 0x00, // mov eax, 228
		0x0F, 0x05, // syscall
		0x85, 0xFF, // test edi, edi
		0x75, 0x07, // jnz over the next
		0x48, 0x81, 0x06, // add qword [rsi], by
	}
	code = binary.LittleEndian.AppendUint32(code, uint32(int32(by/time.Second)))
	return append(code, 0xC3) // ret
}

// symbol returns where a variable of the program is.
func symbol(name string) (int64, error) {
	file, err := elf.Open(program)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	symbols, err := file.Symbols()
	if err != nil {
		return 0, err
	}
	for _, s := range symbols {
		if s.Name == name {
			return int64(s.Value), nil
		}
	}
	return 0, fmt.Errorf("the program has no %s", name)
}

// vdso returns where the kernel's page is in a process.
func vdso(pid int) (from, to int64, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(maps)) {
		if strings.HasSuffix(strings.TrimSpace(line), "[vdso]") {
			_, err := fmt.Sscanf(line, "%x-%x", &from, &to)
			return from, to, err
		}
	}
	return 0, 0, errors.New("the process has no page of the kernel's")
}
