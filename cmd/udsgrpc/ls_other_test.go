//go:build !linux

package main

const hasDirect = false
