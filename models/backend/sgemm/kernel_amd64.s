#include "textflag.h"

// One step of the sum: the sixteen values of b at DI times the value of each of
// the six rows of a at the given byte offset.
#define STEP(off) \
	VMOVUPS (DI), Y12 \
	VMOVUPS 32(DI), Y13 \
	ADDQ R9, DI \
	VBROADCASTSS off(SI), Y14 \
	VBROADCASTSS off(SI)(R8*1), Y15 \
	VFMADD231PS Y12, Y14, Y0 \
	VFMADD231PS Y13, Y14, Y1 \
	VFMADD231PS Y12, Y15, Y2 \
	VFMADD231PS Y13, Y15, Y3 \
	VBROADCASTSS off(SI)(R8*2), Y14 \
	VBROADCASTSS off(R11), Y15 \
	VFMADD231PS Y12, Y14, Y4 \
	VFMADD231PS Y13, Y14, Y5 \
	VFMADD231PS Y12, Y15, Y6 \
	VFMADD231PS Y13, Y15, Y7 \
	VBROADCASTSS off(R11)(R8*1), Y14 \
	VBROADCASTSS off(R11)(R8*2), Y15 \
	VFMADD231PS Y12, Y14, Y8 \
	VFMADD231PS Y13, Y14, Y9 \
	VFMADD231PS Y12, Y15, Y10 \
	VFMADD231PS Y13, Y15, Y11

// Store two registers as a row of c, and go to the next row.
#define ROW(lo, hi) \
	VMOVUPS lo, (DX) \
	VMOVUPS hi, 32(DX) \
	ADDQ R10, DX

#define ROWADD(lo, hi) \
	VADDPS (DX), lo, lo \
	VADDPS 32(DX), hi, hi \
	ROW(lo, hi)

// func kernel(k int, a *float32, lda int, b *float32, ldb int, c *float32, ldc int, add bool)
TEXT ·kernel(SB), NOSPLIT, $0-57
	MOVQ k+0(FP), CX
	MOVQ a+8(FP), SI
	MOVQ lda+16(FP), R8
	MOVQ b+24(FP), DI
	MOVQ ldb+32(FP), R9
	MOVQ c+40(FP), DX
	MOVQ ldc+48(FP), R10
	LEAQ (R8)(R8*2), R11
	ADDQ SI, R11 // row 3 of a
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	VXORPS Y8, Y8, Y8
	VXORPS Y9, Y9, Y9
	VXORPS Y10, Y10, Y10
	VXORPS Y11, Y11, Y11
	MOVQ CX, BX
	SHRQ $2, BX
	JZ rest

four:
	STEP(0)
	STEP(4)
	STEP(8)
	STEP(12)
	ADDQ $16, SI
	ADDQ $16, R11
	DECQ BX
	JNZ four

rest:
	ANDQ $3, CX
	JZ done

one:
	STEP(0)
	ADDQ $4, SI
	ADDQ $4, R11
	DECQ CX
	JNZ one

done:
	CMPB add+56(FP), $0
	JNE sum
	ROW(Y0, Y1)
	ROW(Y2, Y3)
	ROW(Y4, Y5)
	ROW(Y6, Y7)
	ROW(Y8, Y9)
	ROW(Y10, Y11)
	VZEROUPPER
	RET

sum:
	ROWADD(Y0, Y1)
	ROWADD(Y2, Y3)
	ROWADD(Y4, Y5)
	ROWADD(Y6, Y7)
	ROWADD(Y8, Y9)
	ROWADD(Y10, Y11)
	VZEROUPPER
	RET

// func packRows(k int, dst, b *float32, ldb int)
TEXT ·packRows(SB), NOSPLIT, $0-32
	MOVQ k+0(FP), CX
	MOVQ dst+8(FP), DI
	MOVQ b+16(FP), SI
	MOVQ ldb+24(FP), R8
	LEAQ (SI)(R8*8), R9

row:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	PREFETCHT0 (R9)
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ R8, SI
	ADDQ R8, R9
	ADDQ $64, DI
	DECQ CX
	JNZ row
	VZEROUPPER
	RET
