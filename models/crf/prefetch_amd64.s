//go:build goexperiment.simd

#include "textflag.h"

// func prefetch(src *float32, rows *int32, n, size int)
TEXT ·prefetch(SB), NOSPLIT, $0-32
	MOVQ src+0(FP), SI
	MOVQ rows+8(FP), DI
	MOVQ n+16(FP), CX
	MOVQ size+24(FP), DX

row:
	DECQ    CX
	JLT     done
	MOVLQSX (DI), AX
	ADDQ    $4, DI
	MOVQ    AX, BX
	SARQ    $63, BX
	XORQ    BX, AX       // a complement names the same row
	IMULQ   DX, AX
	ADDQ    SI, AX
	LEAQ    (AX)(DX*1), BX

line:
	PREFETCHT0 (AX)
	ADDQ       $64, AX
	CMPQ       AX, BX
	JLT        line
	JMP        row

done:
	RET
