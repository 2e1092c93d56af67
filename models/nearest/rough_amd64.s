#include "textflag.h"

// func quantise(dst *int8, src *uint16, inverse float32, n int)
TEXT ·quantise(SB), NOSPLIT, $0-32
	MOVQ         dst+0(FP), DI
	MOVQ         src+8(FP), SI
	VBROADCASTSS inverse+16(FP), Z1
	MOVQ         n+24(FP), CX

loop:
	VCVTPH2PS (SI), Z0
	VMULPS    Z1, Z0, Z0
	VCVTPS2DQ Z0, Z0
	VPMOVSDB  Z0, (DI)
	ADDQ      $32, SI
	ADDQ      $16, DI
	SUBQ      $16, CX
	JNZ       loop
	VZEROUPPER
	RET

// func dots(out *int32, rows *int8, stride int, panel *uint8, steps int)
//
// out is [8][16]: products of 8 rows, stride bytes apart, with 16 queries, whose
// panel holds four bytes of each in turn.
TEXT ·dots(SB), NOSPLIT, $0-40
	MOVQ out+0(FP), DI
	MOVQ rows+8(FP), SI
	MOVQ stride+16(FP), AX
	MOVQ panel+24(FP), DX
	MOVQ steps+32(FP), CX
	LEAQ (SI)(AX*4), BX       // the fifth row
	LEAQ (AX)(AX*2), R8       // three rows on
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	VPXORD Z4, Z4, Z4
	VPXORD Z5, Z5, Z5
	VPXORD Z6, Z6, Z6
	VPXORD Z7, Z7, Z7

step:
	VMOVDQU32 (DX), Z8
	VPDPBUSD.BCST (SI), Z8, Z0
	VPDPBUSD.BCST (SI)(AX*1), Z8, Z1
	VPDPBUSD.BCST (SI)(AX*2), Z8, Z2
	VPDPBUSD.BCST (SI)(R8*1), Z8, Z3
	VPDPBUSD.BCST (BX), Z8, Z4
	VPDPBUSD.BCST (BX)(AX*1), Z8, Z5
	VPDPBUSD.BCST (BX)(AX*2), Z8, Z6
	VPDPBUSD.BCST (BX)(R8*1), Z8, Z7
	ADDQ $64, DX
	ADDQ $4, SI
	ADDQ $4, BX
	DECQ CX
	JNZ  step

	VMOVDQU32 Z0, (DI)
	VMOVDQU32 Z1, 64(DI)
	VMOVDQU32 Z2, 128(DI)
	VMOVDQU32 Z3, 192(DI)
	VMOVDQU32 Z4, 256(DI)
	VMOVDQU32 Z5, 320(DI)
	VMOVDQU32 Z6, 384(DI)
	VMOVDQU32 Z7, 448(DI)
	VZEROUPPER
	RET
