"""JPEGs of 64 × 48 pixels as Pillow cannot write them, of coloured noise."""

from base64 import b85decode

RARE = {
    "arithmetic": b85decode(
        "|JeWF01!$>Nk#wx0RR9200961|JwjV01yid4h#wq4h;?x5fBp?C>j_R78o%jB^@X_Gd(;xGdMRuNL)@pL{~*OI8bd-S6^ahXlFi6"
        "ad~iLcwA*?WB=O#Lje&I5*QU2FB%#zV?sDWV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`Klx"
        "01*fPFaSUU0U`hb5di}c0sqVZ3IGrg1pyEd1^?Or3<CiG0ucid06zfHVZ>b<)8_*F7cf=MXGXAl{d*98w*;(aUurCW_~XMHG-Bqm"
        "=Da&@q|^3|mWg57scaJU2fsG~R5BeBxw!t-Q(Zx0DBOvO1B;W@`TNE`j;;tMfgg?tXE&M|`qs{Z{y#{x%nY)JG!Jo}TYOnXj?_Xv"
        "RbH3p2X6VY?gn3Wo4a(%0NDMqG^nJ5Jg8e<Z`SiwyBvgI`$+o0`bj<4#r<Uu>3?DTG$btG`>rX<^2Jw`LM3uF;qJ%VqJ}c&7uC`r"
        "wkLkzsx}yKW1|*QTQ}wa%ED|Kvz7&O5gY()0n=x!fqCg7mLQd8T)m$l5+cc)U#6bkffpxFS#5+j6ybR2A=(4KX5Dc?yF*i>6JJ(-"
        "NDF736eCUo)v78!$TKvS8>JF5vMVOfXj)D%LO1^a)5DJSESkE(B!<)KJDj)$RFnMqj>#<Wrdc@gzUJZ!izZC#K3bh51%Hpzi4o7)"
        "LdPbwmM#*o_fOrc%wF=qVu#Qnmt6&pPY|x$va_Pxeiwx|0hLWc&C~*L9x4{dAS1{kbPrW3{iCS6T+HYubMpt281G7ACoWIU39v07"
        "adY(UEh!LKufTUq=jArXGX+F!8aJtLgCwOu2Ne7ra2EP0z{+6;DhhA^0F`odzSJdN$?|bm&;GSmqW=I3zt(3cacIqb=w_wk>UF&`"
        "#3~qj=ny;wi+3i@wTbQK)}#udk9I*9Z@A+t$L=~2H*L8IP9)1AQY6v%7QadwtcK8$qWC=64MWaO;*5H?D?!R>hMT<Yfe22uErG#Y"
        "ODSa!@WB7s"
    ),
    "arithmetic, progressive": b85decode(
        "|JeWF01!$>Nk#wx0RR9200961|JwjV01yid4h#wq4h;?x5fBp?C>j_R78o%jB^@X_Gd(;xGdMRuNL)@pL{~*OI8bd-S6^ahXlFi6"
        "ad~iLcwA*?WB=O#Lje&I5*QU2FB%#zV?sDWV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`Kly"
        "01*fPFaSUU0U`hb5di}c0sqVZ1^^HN5dYc$3<CiG0uTcb0005c^3N-LlevL8GJjbx&|gAiVr-k&XKsH6*_IWTnVl+H?1C?#p{n7M"
        "3dfpB@&11Q%m4%s1^?Or2mt{A0R;kN{p%UO3K1wXMnSW$vC@tREjt?C6Nv1^(>z+vm+$+#)Cw}-%2%j1Jj6DbP*EA^vq;PnK=ZKh"
        "?5%5LonjM^q<4t9$`ia-2j$!t0K4tkAZ_PV1?3!||I7dc5e5I+00;pC0RcY&6JFR*9=D{z`VFU)0^P;8r%rB)7v|$<n8C!=GR!BF"
        "OTpu}U^YxUq4{An^i2QE00a>Q|Jncu0RjO5KLJD?S8hNm0Y%dSqA@mrtBGkl2tla7?XMBBk(|^!>nakCAU%V&vZ#7IZVa%=Z-D>I"
        "00a;P|Jncu0RaF8KLYRiyZuF_5`~tW_nyYM8iR_0k3N^z(#uedRsF`{^3U3jDuDmY00a;P|Jncu0RaF3KOyPl)RR+%@oAPb-O8!n"
        "z$bZ*=xNl?jtIc@GGRHdoBsgMp;ubg9^2xc;VdwDL%g-e+HLfBPJ}?Wsxwir*?$?sni2Z$B7He>hQ<)J$@_8t0P+aOlsjkYg4*{>"
        "NPy7)+5ij#0RRF30{{R35U~pT)F|Ky9R>f)00a>Q|Jncu0RsU6KM?-_x02Xj4`WIiO}lGnv`Y5*xZVKWn0SqiLH8`k{?uB$Olh-l"
        "vw;8100a>Q|Jncu0RjO5KM>)P-IaYgjcNToG3~XeID^uLtf;yiwtVf1c`vI%^qyTLqT1Ihfd9+@1P}%P+5iXv0RRC%5a63mjU-Z5"
        "<w+_0yz#y<g_o?v$rf(NhgJ8-6PPh4EWYv}!Y_ta#5^Ew-`WdGAQn)e8c@eYDtB_2c&vok#Vq}dt$2p1PD|K2QXC3!aZzf$;n&8-"
        "S3IBp0EwDh_QyEAl~l8_%<Ir*+X32Pvq&q8kEe~FK4_IREA@Oh;Gi^PXKfYmYpX{s^h-(L5Eu7lV+y!T7Zb!f8*Fue|Je"
    ),
    "arithmetic, restart markers": b85decode(
        "|JeWF01!$>Nk#wx0RR9200961|JwjV01yid4h#wq4h;?x5fBp?C>j_R78o%jB^@X_Gd(;xGdMRuNL)@pL{~*OI8bd-S6^ahXlFi6"
        "ad~iLcwA*?WB=O#Lje&I5*QU2FB%#zV?sDWV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`Klx"
        "01*fPFaSUU0U`hb5di}c0sqVZ3IGrg1pyEd1^?Xu1ONp8+5ij#0RRFK0}%i}0MTK@T^rNq0{a&*RnBKduzUS`5Pr7=tY%+oEPwdp"
        "!y7bW=CbCzJ8q=Y_KlW_VcMx|67>haHvv>K9TK^?{?$`mL1QS~iHQS?lhyhA#y*a&2qu9ajtFNrni=}m&Vv3wNVLohvWGMeah_Xz"
        "Sw)W2LOxYqm*)p=`LgZ?Uv`_jbjkqO{jxNuq=P)DTV8M0^HsYXgkbwf`oQ{0J=ewkWe@3pVf-{CEa3aDDa!K2SCv8~ay8-Z$J?TY"
        "GUgZ6(jc}ce&DJ$7;s~w7E)U`<^amVY#OtcApg+LTI9zXA9{ONl7RcQ$!h*xTXUoc3$cm1x$;A;1X(yfWzz7)1}ODlTiJcRRXK@a"
        "=Ps+>n!xP#!h=Bd)`|P6Cl;0-$@ATmE(10X#SJNI5Y}h<^$mir^V4<UU5Li@-fET!EplwDhsnq)#*x<R^xr>r&mgxho-xA%5;iW!"
        "*|C4reF}JjkU1~d#Azjn)f5J8j7qr*u9ayW6UpCtXR-1uhxyg=5SQVy`Y#N#c#O%%x-qiLF^i;@atCysrMzTKNW^)^R#;sX{`3KO"
        ">Qo>G%X3GD;eh|q(Ru6^&X>QR(Uf{Z(XdlZIy!3a(0!m9)LET#&$E^WJ~nK6_Dt&p>OM(fg(RlQxpHQ`=2iMTax&lg7STfMSYb1Z"
        "#4ch)rB_-(1F4%}7%TmqpLJWnxD_n@V2@ZVpoe%(0C~$7W4$aWB0Nez)))iQfKiczV<s6;kbZ&G_!ysqTJ*tAC|zZh%N@St^@5ei"
        "GCw+jWZDnMa`VZAOx=w{%~0xoC6MsF<^&asl?@PejXSdC!BgSnI;P?syPs}~V9U0=_d2H2`#<iJmHN2uBLCR"
    ),
    "a scan for each colour": b85decode(
        "|JeWF01!$>Nk#wx0RR9200961|JwjV01yid4h#wq4h;?x5fBp?C>j_R78o%jB^@X_Gd(;xGdMRuNL)@pL{~*OI8bd-S6^ahXlFi6"
        "ad~iLcwA*?WB=O#Lje&I5*QU2FB%#zV?sDWV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`Klo"
        "01*fPFaSUU0U`hb5di}c0sq7R8UO$T0RaI40000000000000661p@#92LHqWC=dVw0R#d90R#dA00000000330{{dO5(Oa>F+mg+"
        "B2fl1VUeN#+5iXv0RR9$0DT@#IyORt>@it!(>1Y@O;3H%!+4y7vXU1SH<yX+E+WxO20f8ma%3zKBAo6paq&njZNacHgD0EbJ}R7c"
        "NivB`fLpv)nxs7|14~?gC^yWZZNKF(c@U5l@%F-@7kf*OB9r+X;;lo<tg(ceF3+NAE7I1C5BJ~K_^yuc#ToM^#l2>Z!U=A?g_xlD"
        "6j57A6SnL~rYz&Pwg*76XZ1_o%BbT2cS6>mQdRy3b*0>Kyg`(JV-&X;aydB)NHOC-G~Xd?k1Se|fN1$yTHPV=A;9;FR^yfqiURfr"
        "bmtYseZDyi)9u$;H74-p;Nau~Rjegei%;08+^w@(xY5f8_!O$7mU73U5FGYJT)eYbtyXoLW&<PxOL08dyb?hyKDx;iz1I{HLh-))"
        "cY*O%Ih!{T<s>5&BaE{b9ziSWN376D@>ot06tH8A(>FlCsU)4}zUz1{BfL!nV4qq2P)lTNQH#y6Z$O$yjdYFVLIRicYka>FOG%jn"
        "_A^x@xi`_dJ!&iFFE1PFaT(WB-YT89B$7l6Mi{8CKBMnUW5&AmTB`kuHYfAikxQ55ncHFlcZ%y<V|#GAoqT8g)h>2W(ZrheqZR+e"
        "02ToO0RaF20000000000000031OflV045Ot0s#UA0tWy900000000010s{a+1Q8MwAtEC&LQ!FXp~3&!00;pB5dc2`Tuc%YuIrlK"
        "ia?N}s*K}5R1UGMU`90y)h_^vyG@a`9vcz6FH`FLr%-ii50D-lR8XuT_cQpaVweH6!>ZoZTo_e4;v5^Ancr<x1>@GTJRpUXjuz&z"
        "v!6~Jd9Ppp!~hoo0RaI40000000000000000|5j8|HJ?y5dZ=K0|NyC0000000000009C600a>dAyE?|F+pMB|Jncu0Rs^LKL8|&"
        "-M~?tR;G!|vSV}anvq#UA`xzP_Bo@tK(GNR%P*=liZ_%X+dh8NX#kYfh2!>>t;B2qZyqZZ%!Xd<V@)ja$b^U4jdW>uKAx!U=bEy@"
        "p>*lSe$-@LmRG{p|Je"
    ),
    "odd sampling": b85decode(
        "|JeWF01!$>Nk#wx0RR9200961|JwjV01yid4h#wq4h;?x5fBp?C>j_R78o%jB^@X_Gd(;xGdMRuNL)@pL{~*OI8bd-S6^ahXlFi6"
        "ad~iLcwA*?WB=O#Lje&I5*QU2FB%#zV?sDWV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`Klo"
        "01*fPFaSUU0Wkmq5di}c0sq7R8UO$S0|5a50000000000000C900IL62LHqWC=dVw0R#d90R#dA00000000330{{dO5(Oa>F+mg+"
        "B2fl1VUeN#!~huq00RL50RR9100000000000|W&E0RaER04osy0R#a90|EsF000000000100ILM1QQ`K5<yWykp&cCfx#j&Vxh7B"
        "+5ij#0RRFK0}%i}06iW~IyORt>@it!(>1Y@O;3H*;k-^k*+~nE^pNUGWFDF*ECBTnAuZ+NdrOG4Qo)a8R@|8j1W2blj2wJW3mb53"
        "3}DIT_m7GkkPfFh_BH*k$&Ot2P3L6JJ0zJzrNAxTD@{@!m4T^P84kiFwQDntK-ZrLYmemy`IIfU{Gtyc5(2(H*is_zX>sIIe<Pe#"
        "BL;-cb>C2=%s9<^UhDD`sCiYEFq1{u^i2hNTG4_2`}+R?6(hUxMtsS!Z&|5!T?v5lH%>rW<MQX!FYZ<BAeQUMS&9#VR*Kq4ows5|"
        "N~JeUjxDY?_fozhNDYm?oskxC+uH-6Su^^f?`2eRfIF(Sr__~yf!zg}4w0uIjt>j1fzi0p<9~If+;O}?lz?LtHyLs{ISNQI<3BWC"
        "A#9H<T9JThLLDrueOF?L3!hT(NeA1qzbh+Sq&@^V9`Qola>3C+Ucm09It@hE{k@hlo*6lJHUcw>;y&LThH3WeteR7Jb8v8S0jAax"
        "t3{{mQux#AvF4HCaSeU*u}isIX0>snmJjeKRY@%6k3=9j?237LX0ckV>o&{=NCt~0P}HzH1m2?y1HPpV#PeeCNd&O^>m*S3Tu@01"
        "#{2Ew2gORn2JMg9lqrE|1o<h)GiKsEq=aIWah77^$R&M9^_rxQC4}J-O9nX28YqJU2WvK+86qh<h}iy7H$cFtB%SBJ>v%3ByiEjP"
        "pIQA?C9*as#pc*IpiM4f8o~Z3f2%r1NQ~g~*#pM9M)Dy6OZqjwUx_88%z^tEsY1?Sm@qSA-400IlT8Emrjgv6=-i&Q73ME58|rZx"
        "*Hhjpowp>CL<>e3sH;V{3!D6@F_DSaD98G)eMjDy$BlLBwN?8RY)|L40+%n#Gq%J8?-Y~~{($r8HjMZ*SUd^}TH71jh1BcgKkk`x"
        "vWAW%*R>d_NBDeVX<ko(`CS>!#Wh^7|Je"
    ),
}
