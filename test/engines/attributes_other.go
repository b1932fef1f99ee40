//go:build !linux

package engines

import "syscall"

func attributes() *syscall.SysProcAttr { return nil }
