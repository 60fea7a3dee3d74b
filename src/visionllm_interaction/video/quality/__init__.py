"""How well a video shows what is to be measured: light, blur, motion of the camera, size of people."""
