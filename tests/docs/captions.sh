# a lecture of half a second, in which nobody speaks
python -c 'import wave; w = wave.open("lecture.wav", "wb"); w.setparams((1, 2, 16000, 0, "NONE", "")); w.writeframes(bytes(16000))'
