//go:build !linux

package inspect

func programOf(int) string { return "" }
