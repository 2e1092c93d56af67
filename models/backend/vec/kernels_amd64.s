#include "textflag.h"

// Constants, eight times each.
#define EIGHT(name, v) \
	DATA name<>+0(SB)/4, $v; \
	DATA name<>+4(SB)/4, $v; \
	DATA name<>+8(SB)/4, $v; \
	DATA name<>+12(SB)/4, $v; \
	DATA name<>+16(SB)/4, $v; \
	DATA name<>+20(SB)/4, $v; \
	DATA name<>+24(SB)/4, $v; \
	DATA name<>+28(SB)/4, $v; \
	GLOBL name<>(SB), RODATA|NOPTR, $32

EIGHT(one, 0x3f800000)
EIGHT(two, 0x40000000)
EIGHT(sign, 0x80000000)
EIGHT(magnitude, 0x7fffffff)
EIGHT(nan, 0x7fc00000)

// e^x: beyond top it is infinite, below bottom 0. ln2 is the sum of two.
EIGHT(top, 89.0)
EIGHT(bottom, -104.0)
EIGHT(log2e, 1.44269504088896341)
EIGHT(ln2hi, 0x3f317200)
EIGHT(ln2lo, 1.42860682030941723e-6)
EIGHT(bias, 127)

// (e^g - 1 - g)/g², |g| <= ln2/2; minimax, error 5e-11 of e^g.
EIGHT(exp5, 1.9917871391595e-4)
EIGHT(exp4, 1.3946116669103503e-3)
EIGHT(exp3, 8.333265781402588e-3)
EIGHT(exp2, 4.1666269302368164e-2)
EIGHT(exp1, 0.1666666716337204)
EIGHT(exp0, 0.5)

// erf(x)/x as a polynomial in x², |x| < 0.875; minimax, error 3e-10.
EIGHT(erfEdge, 0.875)
EIGHT(erf6, 8.53883902891539e-5)
EIGHT(erf5, -8.181927260011435e-4)
EIGHT(erf4, 5.204435903578997e-3)
EIGHT(erf3, -2.6860753074288368e-2)
EIGHT(erf2, 0.11283719539642334)
EIGHT(erf1, -0.37612634897232056)
EIGHT(erf0, 1.128379225730896)

// ln(1-erf(x))/x for 0.875 <= x <= 4, beyond which erf is 1; minimax, error of
// erf 6e-11.
EIGHT(erfTop, 4.0)
EIGHT(erfc8, 2.5774822915991535e-6)
EIGHT(erfc7, -4.063232699991204e-5)
EIGHT(erfc6, 2.567995688878e-4)
EIGHT(erfc5, -6.481431773863733e-4)
EIGHT(erfc4, -1.5223802765831351e-3)
EIGHT(erfc3, 2.0896784961223602e-2)
EIGHT(erfc2, -0.10389068722724915)
EIGHT(erfc1, -0.6362177133560181)
EIGHT(erfc0, -1.1284420490264893)

// (tanh(x)/x - 1)/x² as a polynomial in x², |x| < 0.6; minimax, error 3e-9.
EIGHT(tanhEdge, 0.6)
EIGHT(tanhTop, 10.0)
EIGHT(tanh4, -5.90587056932807e-3)
EIGHT(tanh3, 2.0805377513170242e-2)
EIGHT(tanh2, -5.378668010234833e-2)
EIGHT(tanh1, 0.13331958651542664)
EIGHT(tanh0, -0.33333298563957214)

EIGHT(half, 0.5)
EIGHT(rootHalf, 0.70710678118654752)

DATA bytes<>+0(SB)/8, $0x0101010101010101
DATA bytes<>+8(SB)/8, $0x0101010101010101
GLOBL bytes<>(SB), RODATA|NOPTR, $16

// Y0 = e^Y0; spoils Y1 to Y3. The power of two is applied in halves, so that
// subnormal results are right. A minimum or maximum with a NaN is its last
// operand, which Go writes first.
#define EXP \
	VMOVUPS top<>(SB), Y1; \
	VMINPS Y0, Y1, Y0; \
	VMOVUPS bottom<>(SB), Y1; \
	VMAXPS Y0, Y1, Y0; \
	VMULPS log2e<>(SB), Y0, Y1; \
	VROUNDPS $0, Y1, Y1; \
	VFNMADD231PS ln2hi<>(SB), Y1, Y0; \
	VFNMADD231PS ln2lo<>(SB), Y1, Y0; \
	VCVTPS2DQ Y1, Y1; \
	VMOVUPS exp5<>(SB), Y2; \
	VFMADD213PS exp4<>(SB), Y0, Y2; \
	VFMADD213PS exp3<>(SB), Y0, Y2; \
	VFMADD213PS exp2<>(SB), Y0, Y2; \
	VFMADD213PS exp1<>(SB), Y0, Y2; \
	VFMADD213PS exp0<>(SB), Y0, Y2; \
	VMULPS Y0, Y0, Y3; \
	VFMADD213PS Y0, Y3, Y2; \
	VADDPS one<>(SB), Y2, Y2; \
	VPSRAD $1, Y1, Y3; \
	VPSUBD Y3, Y1, Y1; \
	VPADDD bias<>(SB), Y3, Y3; \
	VPSLLD $23, Y3, Y3; \
	VPADDD bias<>(SB), Y1, Y1; \
	VPSLLD $23, Y1, Y1; \
	VMULPS Y3, Y2, Y0; \
	VMULPS Y1, Y0, Y0

// Y0 = 1/(1 + e^-Y0)
#define LOGISTIC \
	VXORPS sign<>(SB), Y0, Y0; \
	EXP; \
	VMOVUPS one<>(SB), Y1; \
	VADDPS Y1, Y0, Y0; \
	VDIVPS Y0, Y1, Y0

// Y0 = erf(Y0); spoils Y1 to Y8.
#define ERF \
	VANDPS magnitude<>(SB), Y0, Y4; \
	VANDPS sign<>(SB), Y0, Y5; \
	VMULPS Y0, Y0, Y7; \
	VMOVUPS erf6<>(SB), Y8; \
	VFMADD213PS erf5<>(SB), Y7, Y8; \
	VFMADD213PS erf4<>(SB), Y7, Y8; \
	VFMADD213PS erf3<>(SB), Y7, Y8; \
	VFMADD213PS erf2<>(SB), Y7, Y8; \
	VFMADD213PS erf1<>(SB), Y7, Y8; \
	VFMADD213PS erf0<>(SB), Y7, Y8; \
	VMULPS Y0, Y8, Y8; \
	VMOVUPS erfTop<>(SB), Y1; \
	VMINPS Y4, Y1, Y6; \
	VMOVUPS erfc8<>(SB), Y0; \
	VFMADD213PS erfc7<>(SB), Y6, Y0; \
	VFMADD213PS erfc6<>(SB), Y6, Y0; \
	VFMADD213PS erfc5<>(SB), Y6, Y0; \
	VFMADD213PS erfc4<>(SB), Y6, Y0; \
	VFMADD213PS erfc3<>(SB), Y6, Y0; \
	VFMADD213PS erfc2<>(SB), Y6, Y0; \
	VFMADD213PS erfc1<>(SB), Y6, Y0; \
	VFMADD213PS erfc0<>(SB), Y6, Y0; \
	VMULPS Y6, Y0, Y0; \
	EXP; \
	VMOVUPS one<>(SB), Y1; \
	VSUBPS Y0, Y1, Y0; \
	VORPS Y5, Y0, Y0; \
	VCMPPS $1, erfEdge<>(SB), Y4, Y4; \
	VBLENDVPS Y4, Y8, Y0, Y0

// Y0 = tanh(Y0) = 1 - 2/(1 + e^(2·Y0)); spoils Y1 to Y8.
#define TANH \
	VANDPS magnitude<>(SB), Y0, Y4; \
	VANDPS sign<>(SB), Y0, Y5; \
	VMOVUPS Y0, Y6; \
	VMULPS Y0, Y0, Y7; \
	VMOVUPS tanh4<>(SB), Y8; \
	VFMADD213PS tanh3<>(SB), Y7, Y8; \
	VFMADD213PS tanh2<>(SB), Y7, Y8; \
	VFMADD213PS tanh1<>(SB), Y7, Y8; \
	VFMADD213PS tanh0<>(SB), Y7, Y8; \
	VMULPS Y7, Y8, Y8; \
	VFMADD213PS Y6, Y6, Y8; \
	VMOVUPS tanhTop<>(SB), Y1; \
	VMINPS Y4, Y1, Y0; \
	VADDPS Y0, Y0, Y0; \
	EXP; \
	VMOVUPS one<>(SB), Y1; \
	VADDPS Y1, Y0, Y0; \
	VMOVUPS two<>(SB), Y2; \
	VDIVPS Y0, Y2, Y0; \
	VSUBPS Y0, Y1, Y0; \
	VORPS Y5, Y0, Y0; \
	VCMPPS $1, tanhEdge<>(SB), Y4, Y4; \
	VBLENDVPS Y4, Y8, Y0, Y0

// The parts of a loop over one array.
#define ENTER1 \
	MOVQ dst+0(FP), DI; \
	MOVQ x+8(FP), SI; \
	MOVQ n+16(FP), CX

#define NEXT1 \
	VMOVUPS Y0, (DI); \
	ADDQ $32, SI; \
	ADDQ $32, DI; \
	SUBQ $8, CX

// The parts of a loop over two arrays, either of which may stand still.
#define ENTER2 \
	MOVQ dst+0(FP), DI; \
	MOVQ a+8(FP), SI; \
	MOVQ b+16(FP), BX; \
	MOVQ n+24(FP), CX; \
	MOVQ stepA+32(FP), R8; \
	MOVQ stepB+40(FP), R9

#define LOAD2 \
	VMOVUPS (SI), Y0; \
	VMOVUPS (BX), Y1; \
	ADDQ R8, SI; \
	ADDQ R9, BX

#define NEXT2 \
	VMOVUPS Y0, (DI); \
	ADDQ $32, DI; \
	SUBQ $8, CX

// LOOP1 is a whole kernel of one array: OP computes Y0 from Y0.
#define LOOP1(OP) \
	ENTER1; \
loop: \
	VMOVUPS (SI), Y0; \
	OP; \
	NEXT1; \
	JNE loop; \
	VZEROUPPER; \
	RET

// LOOP2 is a whole kernel of two arrays by one instruction.
#define LOOP2(OP) \
	ENTER2; \
loop: \
	LOAD2; \
	OP Y1, Y0, Y0; \
	NEXT2; \
	JNE loop; \
	VZEROUPPER; \
	RET

// LOOP2NAN is LOOP2 for a maximum or minimum: NaN if a is, too.
#define LOOP2NAN(OP) \
	ENTER2; \
loop: \
	LOAD2; \
	OP Y1, Y0, Y2; \
	VCMPPS $3, Y0, Y0, Y3; \
	VBLENDVPS Y3, Y0, Y2, Y0; \
	NEXT2; \
	JNE loop; \
	VZEROUPPER; \
	RET

// X0 = the sum of the eight values of Y0; spoils X1.
#define TOTAL \
	VEXTRACTF128 $1, Y0, X1; \
	VADDPS X1, X0, X0; \
	VMOVHLPS X0, X0, X1; \
	VADDPS X1, X0, X0; \
	VMOVSHDUP X0, X1; \
	VADDSS X1, X0, X0

// func expKernel(dst, x *float32, n int)
TEXT ·expKernel(SB), NOSPLIT, $0-24
	LOOP1(EXP)

// func logisticKernel(dst, x *float32, n int)
TEXT ·logisticKernel(SB), NOSPLIT, $0-24
	LOOP1(LOGISTIC)

// func erfKernel(dst, x *float32, n int)
TEXT ·erfKernel(SB), NOSPLIT, $0-24
	LOOP1(ERF)

// func tanhKernel(dst, x *float32, n int)
TEXT ·tanhKernel(SB), NOSPLIT, $0-24
	LOOP1(TANH)

// func geluKernel(dst, x *float32, n int)
TEXT ·geluKernel(SB), NOSPLIT, $0-24
	ENTER1
loop:
	VMOVUPS (SI), Y9
	VMULPS rootHalf<>(SB), Y9, Y0
	ERF
	VADDPS one<>(SB), Y0, Y0
	VMULPS half<>(SB), Y9, Y9
	VMULPS Y9, Y0, Y0
	NEXT1
	JNE loop
	VZEROUPPER
	RET

// func sqrtKernel(dst, x *float32, n int)
TEXT ·sqrtKernel(SB), NOSPLIT, $0-24
	ENTER1
loop:
	VSQRTPS (SI), Y0
	NEXT1
	JNE loop
	VZEROUPPER
	RET

// func rsqrtKernel(dst, x *float32, n int)
TEXT ·rsqrtKernel(SB), NOSPLIT, $0-24
	ENTER1
	VMOVUPS one<>(SB), Y1
loop:
	VSQRTPS (SI), Y0
	VDIVPS Y0, Y1, Y0
	NEXT1
	JNE loop
	VZEROUPPER
	RET

// func addKernel(dst, a, b *float32, n, stepA, stepB int)
TEXT ·addKernel(SB), NOSPLIT, $0-48
	LOOP2(VADDPS)

// func subKernel(dst, a, b *float32, n, stepA, stepB int)
TEXT ·subKernel(SB), NOSPLIT, $0-48
	LOOP2(VSUBPS)

// func mulKernel(dst, a, b *float32, n, stepA, stepB int)
TEXT ·mulKernel(SB), NOSPLIT, $0-48
	LOOP2(VMULPS)

// func divKernel(dst, a, b *float32, n, stepA, stepB int)
TEXT ·divKernel(SB), NOSPLIT, $0-48
	LOOP2(VDIVPS)

// func maxKernel(dst, a, b *float32, n, stepA, stepB int)
TEXT ·maxKernel(SB), NOSPLIT, $0-48
	LOOP2NAN(VMAXPS)

// func minKernel(dst, a, b *float32, n, stepA, stepB int)
TEXT ·minKernel(SB), NOSPLIT, $0-48
	LOOP2NAN(VMINPS)

// func greaterKernel(dst *bool, a, b *float32, n, stepA, stepB int)
TEXT ·greaterKernel(SB), NOSPLIT, $0-48
	ENTER2
loop:
	LOAD2
	VCMPPS $0x1e, Y1, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VPACKSSDW X1, X0, X0
	VPACKSSWB X0, X0, X0
	VPAND bytes<>(SB), X0, X0
	VMOVQ X0, (DI)
	ADDQ $8, DI
	SUBQ $8, CX
	JNE loop
	VZEROUPPER
	RET

// func whereKernel(dst *float32, cond *bool, a, b *float32, n, stepA, stepB int)
TEXT ·whereKernel(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ cond+8(FP), DX
	MOVQ a+16(FP), SI
	MOVQ b+24(FP), BX
	MOVQ n+32(FP), CX
	MOVQ stepA+40(FP), R8
	MOVQ stepB+48(FP), R9
	VPXOR Y3, Y3, Y3
loop:
	LOAD2
	VPMOVZXBD (DX), Y2
	ADDQ $8, DX
	VPCMPGTD Y3, Y2, Y2
	VBLENDVPS Y2, Y0, Y1, Y0
	NEXT2
	JNE loop
	VZEROUPPER
	RET

// func sumKernel(x *float32, n int) float32
TEXT ·sumKernel(SB), NOSPLIT, $0-20
	MOVQ x+0(FP), SI
	MOVQ n+8(FP), CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	SUBQ $32, CX
	JLT rest
four:
	VADDPS (SI), Y0, Y0
	VADDPS 32(SI), Y1, Y1
	VADDPS 64(SI), Y2, Y2
	VADDPS 96(SI), Y3, Y3
	ADDQ $128, SI
	SUBQ $32, CX
	JGE four
rest:
	ADDQ $32, CX
	JEQ done
loop:
	VADDPS (SI), Y0, Y0
	ADDQ $32, SI
	SUBQ $8, CX
	JNE loop
done:
	VADDPS Y1, Y0, Y0
	VADDPS Y3, Y2, Y2
	VADDPS Y2, Y0, Y0
	TOTAL
	VZEROUPPER
	MOVSS X0, ret+16(FP)
	RET

// func squaresKernel(x *float32, n int, mean float32) float32
TEXT ·squaresKernel(SB), NOSPLIT, $0-28
	MOVQ x+0(FP), SI
	MOVQ n+8(FP), CX
	VBROADCASTSS mean+16(FP), Y4
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	SUBQ $16, CX
	JLT rest
two:
	VMOVUPS (SI), Y2
	VMOVUPS 32(SI), Y3
	VSUBPS Y4, Y2, Y2
	VSUBPS Y4, Y3, Y3
	VFMADD231PS Y2, Y2, Y0
	VFMADD231PS Y3, Y3, Y1
	ADDQ $64, SI
	SUBQ $16, CX
	JGE two
rest:
	ADDQ $16, CX
	JEQ done
	VMOVUPS (SI), Y2
	VSUBPS Y4, Y2, Y2
	VFMADD231PS Y2, Y2, Y0
done:
	VADDPS Y1, Y0, Y0
	TOTAL
	VZEROUPPER
	MOVSS X0, ret+24(FP)
	RET

// func peakKernel(x *float32, n int) float32
TEXT ·peakKernel(SB), NOSPLIT, $0-20
	MOVQ x+0(FP), SI
	MOVQ n+8(FP), CX
	VMOVUPS (SI), Y0
	VXORPS Y1, Y1, Y1 // where there was a NaN
loop:
	VMOVUPS (SI), Y2
	VMAXPS Y2, Y0, Y0
	VCMPPS $3, Y2, Y2, Y2
	VORPS Y2, Y1, Y1
	ADDQ $32, SI
	SUBQ $8, CX
	JNE loop
	VPTEST Y1, Y1
	JNE bad
	VEXTRACTF128 $1, Y0, X1
	VMAXPS X1, X0, X0
	VMOVHLPS X0, X0, X1
	VMAXPS X1, X0, X0
	VMOVSHDUP X0, X1
	VMAXSS X1, X0, X0
	VZEROUPPER
	MOVSS X0, ret+16(FP)
	RET
bad:
	VZEROUPPER
	MOVSS nan<>(SB), X0
	MOVSS X0, ret+16(FP)
	RET

// func expSumKernel(dst, x *float32, n int, shift float32) float32
TEXT ·expSumKernel(SB), NOSPLIT, $0-36
	ENTER1
	VBROADCASTSS shift+24(FP), Y4
	VXORPS Y5, Y5, Y5
loop:
	VMOVUPS (SI), Y0
	VSUBPS Y4, Y0, Y0
	EXP
	VADDPS Y0, Y5, Y5
	NEXT1
	JNE loop
	VMOVUPS Y5, Y0
	TOTAL
	VZEROUPPER
	MOVSS X0, ret+32(FP)
	RET

// func normKernel(dst, x, gamma, beta *float32, n int, mean, scale float32)
TEXT ·normKernel(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ gamma+16(FP), R8
	MOVQ beta+24(FP), R9
	MOVQ n+32(FP), CX
	VBROADCASTSS mean+40(FP), Y1
	VBROADCASTSS scale+44(FP), Y2
loop:
	VMOVUPS (SI), Y0
	VSUBPS Y1, Y0, Y0
	VMULPS Y2, Y0, Y0
	VMOVUPS (R8), Y3
	VFMADD213PS (R9), Y3, Y0
	ADDQ $32, R8
	ADDQ $32, R9
	NEXT1
	JNE loop
	VZEROUPPER
	RET

// func weightedRowsKernel(dst, table *float32, rows *int32, weights *float32, count, n, step int)
TEXT ·weightedRowsKernel(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ table+8(FP), SI
	MOVQ rows+16(FP), R8
	MOVQ weights+24(FP), R9
	MOVQ count+32(FP), R10
	MOVQ n+40(FP), CX
	MOVQ step+48(FP), R12
	SUBQ $32, CX
	JLT rest
wide:
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	XORQ BX, BX
wideRow:
	MOVLQSX (R8)(BX*4), AX
	IMULQ R12, AX
	ADDQ SI, AX
	VBROADCASTSS (R9)(BX*4), Y4
	VFMADD231PS (AX), Y4, Y0
	VFMADD231PS 32(AX), Y4, Y1
	VFMADD231PS 64(AX), Y4, Y2
	VFMADD231PS 96(AX), Y4, Y3
	INCQ BX
	CMPQ BX, R10
	JLT wideRow
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	VMOVUPS Y2, 64(DI)
	VMOVUPS Y3, 96(DI)
	ADDQ $128, SI
	ADDQ $128, DI
	SUBQ $32, CX
	JGE wide
rest:
	ADDQ $32, CX
	JEQ done
eight:
	VXORPS Y0, Y0, Y0
	XORQ BX, BX
row:
	MOVLQSX (R8)(BX*4), AX
	IMULQ R12, AX
	VBROADCASTSS (R9)(BX*4), Y4
	VFMADD231PS (SI)(AX*1), Y4, Y0
	INCQ BX
	CMPQ BX, R10
	JLT row
	VMOVUPS Y0, (DI)
	ADDQ $32, SI
	ADDQ $32, DI
	SUBQ $8, CX
	JNE eight
done:
	VZEROUPPER
	RET
