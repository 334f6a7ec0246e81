<?php
// CONFIGURATION: what an administrator may set for this service provider, as JSON.
$scene = json_decode(file_get_contents(getenv('SCENE')), true);
$metadata[$scene['entity_id']] = json_decode(getenv('CONFIGURATION'), true) + [
    'AssertionConsumerService' => $scene['acs'],
    'NameIDFormat' => 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress',
];
