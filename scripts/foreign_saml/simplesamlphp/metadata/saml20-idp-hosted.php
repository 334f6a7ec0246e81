<?php
$scene = json_decode(file_get_contents(getenv('SCENE')), true);
$email = 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress';
$metadata[$scene['issuer']] = [
    'host' => '__DEFAULT__',
    'privatekey' => 'foreign.key',
    'certificate' => 'foreign.crt',
    'auth' => 'anna',
    'NameIDFormat' => $email,
    'authproc' => [10 => ['class' => 'saml:AttributeNameID', 'attribute' => 'uid', 'Format' => $email]],
    'attributes.NameFormat' => 'urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified',
];
