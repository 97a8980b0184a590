<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="en" sourcelanguage="en">
<context>
    <name>SearchView</name>
    <message numerus="yes">
        <source>%n like {0}</source>
        <translation>
            <numerusform>%n like {0}</numerusform>
            <numerusform>%n like {0}</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n answer(s)</source>
        <translation>
            <numerusform>%n answer</numerusform>
            <numerusform>%n answers</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>Welcome</name>
    <message numerus="yes">
        <source>%n folder(s) can be searched. Type above, or</source>
        <translation>
            <numerusform>%n folder can be searched. Type above, or</numerusform>
            <numerusform>%n folders can be searched. Type above, or</numerusform>
        </translation>
    </message>
</context>
</TS>
